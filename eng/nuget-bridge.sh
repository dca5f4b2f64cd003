#!/usr/bin/env bash
# Builds the bridge for programs that take libtorch from NuGet (libtorch-cpu-linux-x64) and start with any dotnet.
#   eng/nuget-bridge.sh [FOLDER]    the bridge also goes to FOLDER/runtimes/linux-x64/native, from where eng/pack.sh takes it (default: artifacts/nuget)
# The package has no headers. They come from FOVEA_TORCH_HEADERS, the include folder of a PyTorch or libtorch of that
# version, or from the torch package of python3. Headers of another version compile, but read objects at wrong places.
# docs/decisions/libtorch-for-a-library.md says why.
set -euo pipefail
ROOT="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)"
. "$ROOT/eng/common.sh"
. "$ROOT/eng/cpus.sh"
. "$ROOT/eng/platform.sh"
. "$ROOT/eng/packages.sh" # what libtorch.sh names
. "$ROOT/eng/libtorch.sh"
. "$ROOT/eng/bridge.sh"

PACKAGE=libtorch-cpu-linux-x64
PACKAGE_VERSION=2.10.0
RUNTIME=runtimes/linux-x64/native
FOVEA_VERSION="$(sed -n 's:.*<VersionPrefix>\(.*\)</VersionPrefix>.*:\1:p' "$ROOT/Directory.Build.props")"

# Sets NATIVE to the package's libraries, restoring it where NuGet's folder does not have it yet.
find_package() {
  local work
  NATIVE="${NUGET_PACKAGES:-$HOME/.nuget/packages}/$PACKAGE/$PACKAGE_VERSION/$RUNTIME"
  [ ! -e "$NATIVE/libtorch_cpu.so" ] || return 0
  require_dotnet
  work="$(mktemp -d)"
  printf '<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup><ItemGroup><PackageReference Include="%s" Version="%s" /></ItemGroup></Project>\n' \
    "$PACKAGE" "$PACKAGE_VERSION" > "$work/fetch.csproj"
  stage "fetching $PACKAGE $PACKAGE_VERSION" "" "$DOTNET_SYSTEM" restore "$work/fetch.csproj" ||
    die "NuGet does not give $PACKAGE $PACKAGE_VERSION." "Name a feed that has it in NuGet.Config."
  rm -rf "$work"
}

# Sets HEADERS.
find_headers() {
  local found
  HEADERS="${FOVEA_TORCH_HEADERS:-}"
  if [ -z "$HEADERS" ] && find_python; then
    HEADERS="$("$PYTHON" -c 'import importlib.util as u, os; s = u.find_spec("torch"); print(os.path.join(os.path.dirname(s.origin), "include") if s and s.origin else "")' 2> /dev/null || true)"
  fi
  found="$([ -z "$HEADERS" ] || header_version "$HEADERS" || true)"
  [ "$found" = "$PACKAGE_VERSION" ] || die \
    "libtorch $PACKAGE_VERSION's C++ headers are needed, which NuGet's package lacks, and ${HEADERS:-python3} has ${found:-none}." \
    "Bring them:  pip install torch==$PACKAGE_VERSION --index-url https://download.pytorch.org/whl/cpu   (its python3 on PATH)" \
    "or name a folder of them:  FOVEA_TORCH_HEADERS=/path/to/libtorch/include eng/nuget-bridge.sh"
}

check_platform
find_package
find_headers
mixed="$CACHE/nuget-libtorch-$PACKAGE_VERSION"
mkdir -p "$mixed"
ln -sfn "$HEADERS" "$mixed/include"
ln -sfn "$NATIVE" "$mixed/lib"
use_folder nuget "$mixed" || die "the libtorch in $mixed $TORCH_PROBLEM."
problem="$(compiler_problem)"
[ -z "$problem" ] || die "the bridge needs the system's compiler, but $problem." "Mend it with:  sudo apt-get install g++"

# It looks for libtorch beside itself, where NuGet puts both; only the check after linking needs to be told.
export BRIDGE_RPATH="\$ORIGIN" LD_LIBRARY_PATH="$TORCH_LIB${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
prepare_bridge

# give FILE TARGET: whoever reads it meanwhile sees the old file or the new one.
give() {
  mkdir -p "${2%/*}"
  cp "$1" "$2.new.$$"
  mv "$2.new.$$" "$2"
}

packed="${1:-$ROOT/artifacts/nuget}/$RUNTIME/libfovea_native.torch-$PACKAGE_VERSION.so"
give "$BRIDGE" "$packed"
# The cache, for programs whose Fovea package has no bridge in it.
cached="$CACHE/bridge/nuget-$FOVEA_VERSION"
give "$BRIDGE" "$cached/libfovea_native.so"
for library in libtorch.so libtorch_cpu.so libc10.so; do ln -sfn "$NATIVE/$library" "$cached/$library"; done
for library in "$NATIVE"/libgomp-*.so.*; do ln -sfn "$library" "$cached/${library##*/}"; done
say "the bridge for $PACKAGE $PACKAGE_VERSION is $packed, and in $cached"
