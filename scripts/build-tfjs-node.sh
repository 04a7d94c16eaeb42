#!/usr/bin/env bash
# Builds @tensorflow/tfjs-node from source, where its own installer can't download its prebuilt binary.
#
#   bash scripts/build-tfjs-node.sh
#
# Why: the installer of tfjs-node fetches libtensorflow and the addon from a storage host. Where that host can't be reached,
# npm drops the package (it is an optional dependency) and the engine `tfjs-node` is missing. This script needs the npm
# registry and PyPI only: the addon is compiled against the headers and the shared libraries of the wheel `tensorflow-cpu`.
#
# Where: everything is built in a cache outside node_modules, since npm removes there what it did not install itself; then
# node_modules/@tensorflow/tfjs-node becomes a link to it. `npm install` may remove the link: run the script again, which takes
# about a second while the build is valid. The cache takes about 1 GB; a build takes about a minute.
#
# One thing to know: node follows the link, so the tfjs-node built here uses the tfjs-core that lies beside it in the cache, and
# not the one in node_modules. Code that runs on tfjs-node must therefore use the functions that tfjs-node itself exports
# (`tf.loadLayersModel`, `tf.tensor`, …) and never mix them with an import of `@tensorflow/tfjs-core` or `-layers`.
#
# Needs: Linux (x64 or arm64), Node >= 20, npm, python3 with pip, make, a C++ compiler. The addon uses Node-API: a build of one
# Node version serves the others. On macOS and Windows use the installer of tfjs-node.
#
# Environment:
#   MILLRACE_TFJS_NODE_DIR  the cache                       (default: .cache/tfjs-node in the repository)
#   PYTHON                  the interpreter that has pip    (default: python3)
#   NODE_HEADERS            folder that has include/node/node_api.h (default: npm's option nodedir, else where Node was installed;
#                           where neither has it, node-gyp downloads the headers)
#
# Output: one line, `tfjs-node 4.22.0 on TensorFlow 2.21.0: <built|cached|installed by npm>`. Exit code 1, and the first
# errors of the log (build.log in the cache) on stderr, when it can't be built.
set -euo pipefail

tfjs_version=4.22.0
tensorflow_version=2.21.0
# The wheel for this CPython is downloaded whatever the version of the running one: nothing in it is executed.
wheel_python=312

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${MILLRACE_TFJS_NODE_DIR:-$repository/.cache/tfjs-node}
[ "${cache#/}" != "$cache" ] || cache=$PWD/$cache
python=${PYTHON:-python3}
link=$repository/node_modules/@tensorflow/tfjs-node
wheel_dir=$cache/tensorflow-$tensorflow_version
log=$cache/build.log

fail() {
  echo "build-tfjs-node: $1" >&2
  [ ! -f "$log" ] || grep -i -m 5 "error" "$log" >&2 || tail -n 20 "$log" >&2
  exit 1
}

# Prints the version of TensorFlow that the package in folder $1 runs on; fails when it can't be loaded.
probe() {
  TF_CPP_MIN_LOG_LEVEL=3 node -e '
    const util = require("node:util");
    util.isNullOrUndefined = (value) => value === null || value === undefined;
    const tf = require(process.argv[1]);
    const [sum] = tf.tidy(() => tf.add(tf.tensor1d([1]), 1).dataSync());
    if (sum !== 2) throw new Error("tfjs-node adds wrongly");
    console.log(tf.backend().binding.TF_Version);
  ' "$1" 2>"${2:-/dev/null}"
}

fetch_tensorflow() {
  [ ! -f "$wheel_dir/complete" ] || return 0
  local download=$cache/download
  rm -rf "$wheel_dir" "$download"
  mkdir -p "$wheel_dir" "$download"
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --implementation cp --python-version "$wheel_python" --abi "cp$wheel_python" --platform "manylinux_2_27_$(uname -m)" \
    --dest "$download" "tensorflow-cpu==$tensorflow_version" >>"$log" 2>&1 || fail "can't download the wheel tensorflow-cpu $tensorflow_version"
  # The C headers and two libraries of the wheel: the rest is Python.
  "$python" - "$download" "$wheel_dir" <<'PYTHON' >>"$log" 2>&1 || fail "can't unpack the wheel"
import pathlib, shutil, sys, zipfile

download, target = map(pathlib.Path, sys.argv[1:])
(wheel,) = download.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        path = pathlib.PurePosixPath(name)
        if path.name in ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2"):
            out = target / "lib" / path.name
        elif "include" in path.parts and {"c", "platform"} & set(path.parts) and path.suffix == ".h":
            out = target.joinpath(*path.parts[path.parts.index("include"):])
        else:
            continue
        out.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(name) as source, open(out, "wb") as sink:
            shutil.copyfileobj(source, sink)
PYTHON
  rm -rf "$download"
  touch "$wheel_dir/complete"
}

fetch_package() {
  echo '{ "private": true }' >"$cache/package.json"
  npm install --prefix "$cache" --ignore-scripts --no-save --no-audit --no-fund --loglevel=error \
    "@tensorflow/tfjs-node@$tfjs_version" >>"$log" 2>&1 || fail "can't install the npm package @tensorflow/tfjs-node $tfjs_version"
}

compile_addon() {
  local package=$cache/node_modules/@tensorflow/tfjs-node installed folder node_gyp
  installed=$(node -p 'require("node:path").resolve(fs.realpathSync(process.execPath), "../..")')
  # The last is where the npm package `node` keeps them.
  for folder in "${NODE_HEADERS:-}" "$(npm config get nodedir)" "$installed" "$installed"/node_modules/node-*; do
    [ -f "$folder/include/node/node_api.h" ] || continue
    export npm_config_nodedir=$folder
    break
  done

  rm -rf "$package/deps"
  mkdir -p "$package/deps/lib"
  ln -s "$wheel_dir/include" "$package/deps/include"
  # The linker asks for libtensorflow.so; the loader for the SONAME, which in the wheel is libtensorflow_cc.so.2.
  for name in libtensorflow.so libtensorflow.so.2 libtensorflow_cc.so.2; do
    ln -s "$wheel_dir/lib/libtensorflow_cc.so.2" "$package/deps/lib/$name"
  done
  for name in libtensorflow_framework.so libtensorflow_framework.so.2; do
    ln -s "$wheel_dir/lib/libtensorflow_framework.so.2" "$package/deps/lib/$name"
  done
  # npm brings a node-gyp of its own; node-pre-gyp finds it only where npm stands beside the running Node.
  node_gyp=$(dirname "$(realpath "$(command -v npm)")")/../node_modules/node-gyp/bin/node-gyp.js
  [ ! -f "$node_gyp" ] || export npm_config_node_gyp=$node_gyp
  (cd "$package" && "$cache/node_modules/.bin/node-pre-gyp" install --build-from-source) >>"$log" 2>&1 ||
    fail "can't compile the addon (make and a C++ compiler are needed)"
}

link_package() {
  mkdir -p "$(dirname "$link")"
  rm -rf "$link"
  ln -s "$cache/node_modules/@tensorflow/tfjs-node" "$link"
}

report() {
  echo "tfjs-node $tfjs_version on TensorFlow $1: $2"
}

if [ -d "$link" ] && [ ! -L "$link" ] && version=$(probe "$link"); then
  report "$version" "installed by npm"
  exit 0
fi

[ "$(uname -s)" = Linux ] || fail "builds on Linux only: use the installer of @tensorflow/tfjs-node"
if version=$(probe "$cache/node_modules/@tensorflow/tfjs-node"); then
  link_package
  report "$version" "cached"
  exit 0
fi

mkdir -p "$cache"
: >"$log"
fetch_tensorflow
fetch_package
compile_addon
version=$(probe "$cache/node_modules/@tensorflow/tfjs-node" "$log") || fail "the addon was built but does not load"
link_package
report "$version" "built"
