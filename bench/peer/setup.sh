#!/usr/bin/env bash
# Lays PyTorch, torchvision and Transformers from Debian testing into a private folder, without root, for comparison.
#   bench/peer/setup.sh          prints the folder; the first time it downloads some 400 MB
# FOVEA_PEER_SUITE picks another suite; FOVEA_PEER_PACKAGES="python3-pyarrow ..." adds packages (a folder of its own). bench/peer/python starts its Python.
set -euo pipefail
ROOT="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)"
export FOVEA_SUITE="${FOVEA_PEER_SUITE:-forky}"
# shellcheck source=../../eng/common.sh
. "$ROOT/eng/common.sh"
# shellcheck source=../../eng/packages.sh
. "$ROOT/eng/packages.sh"

MORE="${FOVEA_PEER_PACKAGES:-}"
PEER="$CACHE/peer/$FOVEA_SUITE${MORE:+-$(printf '%s' "$MORE" | short_hash)}"
PACKAGES="python3 python3-torch python3-torchvision python3-transformers libopenblas0-openmp ca-certificates $MORE"

lay_peer() {
  [ -e "$PEER" ] && return
  # A list of packages.
  # shellcheck disable=SC2086
  lay_packages "$PEER" $PACKAGES
  local libs library
  libs="$(echo "$UNPACK"/usr/lib/*-linux-gnu)"
  # OpenBLAS looks for its own needs beside itself.
  for library in libgfortran.so.5 libgomp.so.1 libquadmath.so.0 libgcc_s.so.1; do ln -sfn "../$library" "$libs/openblas-openmp/$library"; done
  mv "$UNPACK" "$PEER"
  rm -rf "$UNPACK.list" "$CACHE/apt/archives-$FOVEA_SUITE"
}

mkdir -p "$CACHE/peer"
locked "$CACHE/peer/lock" "the cache $CACHE/peer" lay_peer
printf '%s\n' "$PEER"
