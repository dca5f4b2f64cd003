# Builds managed code with the SDK, when its sources are newer than the last build.

# build PROJECT: a project or solution, Release, into artifacts/.
build() {
  local stamp
  stamp="$STATE/built-$(basename "$1")"
  is_fresh "$stamp" && return
  may_write_clone
  locked "$STATE/build.lock" "the build of this clone" build_now "$1" "$stamp"
}

is_fresh() {
  [ -e "$1" ] &&
    [ -z "$(cd "$ROOT" && find src tests bench/Fovea.Bench bench/Fovea.Benchmarks global.json Fovea.slnx .editorconfig BannedSymbols*.txt Directory.* \
      -newer "$1" \( -type d -o -name '*.cs' -o -name '*.*proj' -o -name '*.props' -o -name '*.targets' -o -name '*.json' -o -name '*.slnx' \
      -o -name .editorconfig -o -name 'BannedSymbols*.txt' -o -path '*/wwwroot/*' \) ! -path '*/goldens/*' -print -quit 2> /dev/null)" ]
}

build_now() {
  is_fresh "$2" && return
  local new="$2.$$"
  : > "$new" # its time is that of the start: a source changed meanwhile counts as newer
  if ! STAGE_TAIL=60 stage "building $(basename "$1" .csproj)" "" run_build "$ROOT/$1"; then
    rm -f "$new"
    if grep -q -e NU1301 -e NU1801 "$STAGE_LOG"; then
      die "NuGet packages could not be fetched." "Check the network and the certificates (https_proxy and SSL_CERT_FILE are honoured); $ME doctor shows what is found."
    elif grep -q 'NETSDK1045\|compatible .NET SDK was not found' "$STAGE_LOG"; then
      die "the .NET SDK in use is too old." "Version 10.0 is needed; $ME doctor shows which one was found."
    fi
    exit 1
  fi
  mv "$new" "$2"
}

run_build() {
  # Analyzers take longer than the compiler. Who only uses a clone does not wait for them: they run from the first time that the tests are built in it.
  local analyze=true
  [ "$(basename "$1")" = Fovea.slnx ] || [ -e "$STATE/built-Fovea.slnx" ] || analyze=false
  # No process of the SDK stays behind: a compiler server would keep the started libraries and locks open.
  MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0 DOTNET_GENERATE_ASPNET_CERTIFICATE=false DOTNET_SKIP_WORKLOAD_INTEGRITY_CHECK=1 \
    "$FOVEA_DOTNET" build "$1" -c Release -nologo -v:q -clp:ErrorsOnly -nodeReuse:false -p:UseSharedCompilation=false -p:RunAnalyzers=$analyze
}
