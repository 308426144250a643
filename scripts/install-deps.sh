#!/bin/sh
# Installs what is missing on Debian or Ubuntu. `build` is what the program
# needs to be built and run; `test` adds the peers that the tests talk to.
set -eu

build="cargo:cargo cc:gcc cmake:cmake make:make node:nodejs npm:npm"
peers="eapol_test:eapoltest wpa_supplicant:wpasupplicant hostapd:hostapd freeradius:freeradius
radclient:freeradius-utils radsecproxy:radsecproxy tshark:tshark ip:iproute2 bridge:iproute2 ping:iputils-ping curl:curl
dpkg-shlibdeps:dpkg-dev runuser:util-linux chromium:chromium oathtool:oathtool
rsyslogd:rsyslog age:age fail2ban-server:fail2ban systemd-analyze:systemd python3:python3 openssl:openssl nft:nftables git:git pkill:procps setpriv:util-linux"

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

# Debian keeps what makes environments apart from Python.
if [ "${1:-build}" = test ] && ! python3 -c 'import ensurepip' 2>/dev/null; then need_venv=python3-venv; fi

# Debian keeps some programs where a user's PATH does not look.
PATH="$PATH:/usr/sbin:/sbin"
missing="${need_postgresql:+ $need_postgresql}${need_drivers:-}${need_venv:+ $need_venv}"
for pair in $wanted; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
# Peers that are programs in Python, in an environment of their own.
python_peers() {
    venv=target/peers/venv
    if cmp -s tests/peers/requirements.txt "$venv/installed.txt"; then return; fi
    echo "installing: $(tr '\n' ' ' <tests/peers/requirements.txt)"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r tests/peers/requirements.txt
    cp tests/peers/requirements.txt "$venv/installed.txt"
}

# Peers that are programs in JavaScript.
node_peers() {
    peers=tests/peers/node
    if cmp -s $peers/package-lock.json $peers/node_modules/installed.json; then return; fi
    echo "installing: what $peers/package.json names"
    npm ci --silent --ignore-scripts --no-audit --no-fund --prefix $peers
    cp $peers/package-lock.json $peers/node_modules/installed.json
}

system_packages() {
    [ -z "$missing" ] && return
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
    return $status
}

system_packages
if [ "${1:-build}" = test ]; then python_peers; node_peers; fi
