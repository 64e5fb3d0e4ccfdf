# A job's container image: the base (see rootfs.py and wheels.py) and gym_raas on top.
ARG BASE
FROM ${BASE}
ARG PYTHON
COPY site-packages/ /usr/local/lib/python${PYTHON}/dist-packages/
COPY packages.json /usr/share/raas/packages.json
# A cell is started before its job comes: see raas_cell.py. Any other Python takes no notice.
RUN echo 'import os, sys; "RAAS_CELL" in os.environ and __import__("raas_cell") and sys.modules.pop("raas_cell")' > /usr/local/lib/python${PYTHON}/dist-packages/raas_cell.pth
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /usr/local/lib/python${PYTHON}/dist-packages/gym_raas \
    /usr/local/lib/python${PYTHON}/dist-packages/raas_cell.py
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
