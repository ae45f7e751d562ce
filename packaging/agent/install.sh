#!/bin/sh
# install.sh: installs the agent of this bundle as a systemd service. Needs root. Run again to update.
#
# The bundle holds fleetward-agent, agent.toml, ca.pem, certificate.pem, private.key, fleetward-agent.service.
# With --root FOLDER nothing but files is touched, below that folder.
set -eu
cd "$(dirname "$0")"
root=
[ "${1:-}" = --root ] && root=${2:?"--root needs a folder"}
for file in fleetward-agent agent.toml ca.pem certificate.pem private.key fleetward-agent.service; do
  [ -f "$file" ] || { echo "install.sh: $file is missing from the bundle" >&2; exit 1; }
done
if [ -z "$root" ]; then
  [ "$(id -u)" = 0 ] || { echo "install.sh: must run as root" >&2; exit 1; }
  if ! ldconfig -p 2>/dev/null | grep -q 'libmosquitto\.so\.1'; then
    echo "install.sh: libmosquitto is missing; on Debian: apt-get install libmosquitto1" >&2
    exit 1
  fi
  getent passwd fleetward-agent >/dev/null ||
    useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin fleetward-agent
  group=fleetward-agent
else
  group=$(id -gn)
fi
./fleetward-agent --version >/dev/null || { echo "install.sh: the agent does not run on this machine" >&2; exit 1; }
owner=$(id -un)
etc=$root/etc/fleetward-agent
install -d -m 755 "$root/usr/bin" "$root/etc/systemd/system"
install -d -m 750 -o "$owner" -g "$group" "$etc"
# The service must not be able to change what tells it what to run.
install -m 640 -o "$owner" -g "$group" agent.toml private.key "$etc"
install -m 644 -o "$owner" ca.pem certificate.pem "$etc"
install -m 644 -o "$owner" fleetward-agent.service "$root/etc/systemd/system"
install -m 755 -o "$owner" fleetward-agent "$root/usr/bin/fleetward-agent.new"
mv -f "$root/usr/bin/fleetward-agent.new" "$root/usr/bin/fleetward-agent"
[ -n "$root" ] && exit 0
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl enable fleetward-agent.service
  systemctl restart fleetward-agent.service
  systemctl --no-pager --lines=5 status fleetward-agent.service
else
  echo "installed; start it with: fleetward-agent --config /etc/fleetward-agent/agent.toml"
fi
