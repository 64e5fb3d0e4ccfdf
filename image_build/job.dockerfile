# A job's container image: the base (see rootfs.py and wheels.py) and gym_raas on top.
ARG BASE
FROM ${BASE}
ARG PYTHON
COPY site-packages/ /usr/local/lib/python${PYTHON}/dist-packages/
COPY packages.json /usr/share/raas/packages.json
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /usr/local/lib/python${PYTHON}/dist-packages/gym_raas
# Output reaches the browser line by line; nothing is compiled at run time; one core means one BLAS thread.
ENV PATH=/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OPENBLAS_NUM_THREADS=1 \
    OMP_NUM_THREADS=1
WORKDIR /job
USER 61000:61000
# tini reaps what a job leaves behind, and hands on SIGTERM.
ENTRYPOINT ["/usr/bin/tini", "-g", "--"]
CMD ["python3", "run.py"]
