#!/bin/sh
# Installs what is missing on Debian or Ubuntu. `build` is what the program
# needs to be built and run; `test` adds the peers that the tests talk to.
set -eu

build="cargo:cargo cc:gcc cmake:cmake make:make"
peers="eapol_test:eapoltest wpa_supplicant:wpasupplicant hostapd:hostapd freeradius:freeradius
radclient:freeradius-utils radsecproxy:radsecproxy tshark:tshark ip:iproute2 bridge:iproute2 ping:iputils-ping curl:curl
rsyslogd:rsyslog python3:python3 openssl:openssl git:git pkill:procps setpriv:util-linux"

wanted="$build"
[ "${1:-build}" = test ] && wanted="$build $peers"

# Debian keeps PostgreSQL's programs where no PATH looks.
[ "${1:-build}" = test ] && [ ! -e /usr/lib/postgresql ] && need_postgresql=postgresql

# Programs do not tell which TLS rsyslog can speak.
if [ "${1:-build}" = test ] && command -v dpkg-query >/dev/null 2>&1; then
    for driver in rsyslog-gnutls rsyslog-openssl; do
        dpkg-query -W "$driver" >/dev/null 2>&1 || need_drivers="${need_drivers:-} $driver"
    done
fi

# Debian keeps some programs where a user's PATH does not look.
PATH="$PATH:/usr/sbin:/sbin"
missing="${need_postgresql:+ $need_postgresql}${need_drivers:-}"
for pair in $wanted; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "missing:$missing. Install them with your system's package manager." >&2
    exit 1
fi
as_root=""
[ "$(id -u)" = 0 ] || as_root=sudo
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -q >/dev/null
# FreeRADIUS, radsecproxy, hostapd, rsyslog and wpa_supplicant are started by the tests alone.
[ -e /usr/sbin/policy-rc.d ] || policy=none
if [ "${policy:-}" = none ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee /usr/sbin/policy-rc.d >/dev/null
    $as_root chmod +x /usr/sbin/policy-rc.d
fi
status=0
# shellcheck disable=SC2086
$as_root apt-get install -q -y --no-install-recommends $missing >/dev/null || status=$?
[ "${policy:-}" = none ] && $as_root rm -f /usr/sbin/policy-rc.d
exit $status
