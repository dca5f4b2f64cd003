#!/usr/bin/env bash
# Packs what goes to NuGet: Fovea, Fovea.AspNetCore, Fovea.Extensions.AI, Fovea.Native.linux-x64, Fovea.Tool, each with its symbols.
#   eng/pack.sh [FOLDER] [-p:NAME=VALUE ...]     default: artifacts/packages
# The bridge in them is built against fovea's own libtorch (Debian 13's); eng/nuget-bridge.sh adds that for NuGet's libtorch.
set -euo pipefail
ROOT="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)"
. "$ROOT/eng/common.sh"
. "$ROOT/eng/cpus.sh"
. "$ROOT/eng/setup.sh"

folder="$ROOT/artifacts/packages"
case "${1:-}" in '' | -*) ;; *) mkdir -p "$1" && folder="$(cd "$1" && pwd)" && shift ;; esac

# A set-up of its own, whatever libtorch this clone trains with.
export LIBTORCH=private
STATE="$ROOT/artifacts/pack"
rm -rf "$STATE"
setup

# place FILE TARGET
place() {
  mkdir -p "${2%/*}"
  cp "$1" "$2.new"
  mv "$2.new" "$2"
}
# One package for several versions of libtorch: the file's name tells them apart.
place "$FOVEA_NATIVE" "$ROOT/artifacts/nuget/runtimes/linux-x64/native/libfovea_native.torch-$TORCH_VERSION.so"
place "$FOVEA_NATIVE" "$STATE/bridges/$TORCH_VERSION-$(libtorch_identity)/libfovea_native.so"

# An old command line beside the new one would be packed with it.
rm -rf "$ROOT/artifacts/bin/Fovea.Cli/release" "$ROOT/artifacts/bin/Fovea.Tool/release"
for project in src/Fovea.Cli src/Fovea src/Fovea.AspNetCore src/Fovea.Extensions.AI src/Fovea.Tool eng/nuget/Fovea.Native.linux-x64.csproj; do
  verb=pack
  [ $project != src/Fovea.Cli ] || verb=build
  output=()
  [ $verb = build ] || output=(-o "$folder")
  STAGE_TAIL=60 stage "${verb}ing $(basename "$project" .csproj)" "" env MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0 \
    "$FOVEA_DOTNET" $verb "$ROOT/$project" -c Release -nologo -v:q -nodeReuse:false -p:UseSharedCompilation=false -p:ContinuousIntegrationBuild=true "${output[@]}" "$@"
done
say "packed into $folder:"
(cd "$folder" && ls -l -- *.nupkg *.snupkg) | awk '{ printf "  %8.2f MB  %s\n", $5 / 1e6, $9 }'
