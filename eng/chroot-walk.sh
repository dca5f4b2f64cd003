#!/usr/bin/env bash
# What a stranger does on a fresh machine, timed: a bare Debian, the .NET SDK, and our packages from a local feed. Needs root (debootstrap, chroot).
#   eng/chroot-walk.sh FEED      FEED: what eng/pack.sh made
# Debian 12 (glibc 2.36): the tool to the demo, then examples/csharp/Chat through "fovea dotnet run", with the model that the demo has made.
# Debian 13 (glibc 2.41): the same program with the system's libtorch, the package Fovea.Native.linux-x64, and plain "dotnet run".
# WALK_FOLDER keeps the machine (default: a folder that is removed); NUGET_SOURCE is where other packages come from.
set -euo pipefail
ROOT="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)"
[ $# -ge 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2; }
feed="$(cd "$1" && pwd)" machine=
machines="${WALK_FOLDER:-$(mktemp -d /var/tmp/fovea-walk.XXXXXX)}"
sdk="$(dirname "$(readlink -f "$(command -v dotnet)")")"

leave() { umount -l "$machine/proc" "$machine/dev" "$machine/opt/dotnet" "$machine/feed" 2> /dev/null || true; }
finish() {
  leave
  [ -n "${WALK_FOLDER:-}" ] || rm -rf --one-file-system "$machines"
}
trap finish EXIT

say() { printf '== %s\n' "$*"; }
# timed WHAT COMMAND: runs it in the machine as a user who has nothing, and says how long it took.
timed() {
  local began=$SECONDS
  say "$1: $2"
  in_machine "$2" || { say "$1 FAILED (exit $?)"; exit 1; }
  say "$1: $((SECONDS - began)) s"
}
in_machine() {
  chroot "$machine" /usr/bin/env -i HOME=/home/user TERM=dumb LANG=C.UTF-8 PATH=/home/user/.dotnet/tools:/opt/dotnet:/usr/bin:/bin DOTNET_ROOT=/opt/dotnet \
    DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 \
    setpriv --reuid 1000 --regid 1000 --clear-groups bash -c "cd && $1"
}

# enter SUITE PACKAGE...: a bare Debian with a user who has nothing, the SDK, and these packages
enter() {
  local suite="$1" certificates="${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}"
  shift
  machine="$machines/$suite"
  if [ ! -e "$machine/etc/debian_version" ]; then
    say "a bare Debian $suite in $machine"
    debootstrap --variant=minbase "$suite" "$machine" http://deb.debian.org/debian > "$machines/debootstrap.log" 2>&1
    echo 'user:x:1000:1000::/home/user:/bin/bash' >> "$machine/etc/passwd"
  fi
  rm -rf "$machine/home/user"
  mkdir -p "$machine"/{proc,dev,opt/dotnet,feed,home/user/.nuget/NuGet} "$machine/etc/ssl/certs"
  cp /etc/resolv.conf /etc/hosts "$machine/etc/"
  mount -t proc proc "$machine/proc"
  mount --bind /dev "$machine/dev"
  mount --bind "$sdk" "$machine/opt/dotnet"
  mount --bind "$feed" "$machine/feed"
  cat > "$machine/home/user/.nuget/NuGet/NuGet.Config" << CONFIG
<configuration><packageSources><clear /><add key="feed" value="/feed" /><add key="others" value="${NUGET_SOURCE:-https://api.nuget.org/v3/index.json}" /></packageSources></configuration>
CONFIG
  chown -R 1000:1000 "$machine/home/user"
  # What the SDK's own package asks Debian for, as far as it is needed: without OpenSSL no dotnet command that touches a package runs.
  chroot "$machine" bash -c "apt-get update -qq && apt-get install -y -qq --no-install-recommends $*" > "$machines/apt.log" 2>&1
  cp "$certificates" "$machine/etc/ssl/certs/ca-certificates.crt"
  say "nothing but the SDK and $*: $(in_machine 'for p in g++ gcc git openssl python3; do command -v $p || echo no $p; done' | paste -sd ' ')"
}

# A chat about one picture with the model that the demo has made, as a project of its own.
make_program() {
  mkdir -p "$machine/home/user/app"
  cp "$ROOT"/examples/csharp/Chat/Program.cs "$machine/home/user/app/"
  cat > "$machine/home/user/app/app.csproj" << PROJECT
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><Nullable>enable</Nullable><ImplicitUsings>enable</ImplicitUsings><InvariantGlobalization>true</InvariantGlobalization></PropertyGroup>
</Project>
PROJECT
  chown -R 1000:1000 "$machine/home/user"
}
ask="printf '%s\\n' \$(find ~/output/demo -name '*.png' | sort | head -n 1) 'Which fruit has its colour?' ''"
chat="run -- ~/output/demo/base ~/output/demo/adapter"

enter bookworm libssl3 ca-certificates
began=$SECONDS
timed "tool" "dotnet tool install -g Fovea.Tool --source /feed --no-cache"
timed "demo" "fovea demo"
say "from the tool to the demo's end: $((SECONDS - began)) s"
timed "a second start" "fovea --version"
timed "doctor" "fovea doctor"
make_program
began=$SECONDS
timed "package" "cd app && fovea dotnet add package Fovea"
timed "program" "cd app && $ask | fovea dotnet $chat"
say "from the package to the program's end: $((SECONDS - began)) s"
leave

enter trixie libssl3t64 ca-certificates libtorch2.6 libopenblas0-openmp libturbojpeg0 libwebp7 libwebpdemux2
cp -r "$machines/bookworm/home/user/output" "$machine/home/user/"
make_program
began=$SECONDS
timed "packages" "cd app && dotnet add package Fovea && dotnet add package Fovea.Native.linux-x64"
timed "program" "cd app && $ask | dotnet $chat"
say "from the packages to the program's end: $((SECONDS - began)) s"
