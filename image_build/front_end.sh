#!/usr/bin/env bash
# Put the locked front-end libraries where the web server finds them: appliance/webui/static/vendor (not in git).
set -euo pipefail
cd "$(dirname "$0")/.."

work=.cache/front_end
vendor=appliance/webui/static/vendor

npm=$(command -v npm || true)
if [ -z "$npm" ]; then
    .venv/bin/python -m pip install --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-node.txt
    npm=$PWD/.venv/bin/npm
fi
# Node.js brings its own certificate authorities; a network may have one that only the machine knows.
authorities=/etc/ssl/certs/ca-certificates.crt
[ ! -r $authorities ] || export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-$authorities}
rm -rf $work
mkdir -p $work
cp package.json package-lock.json $work
# Libraries of a page need no install scripts.
(cd $work && PATH="$OLDPWD/.venv/bin:$PATH" "$npm" ci --ignore-scripts --no-audit --no-fund)

rm -rf $vendor
mkdir -p $vendor/uplot
uplot=$work/node_modules/uplot
cp $uplot/dist/uPlot.iife.min.js $uplot/dist/uPlot.min.css $uplot/LICENSE $vendor/uplot
