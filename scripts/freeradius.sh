#!/bin/sh
# Writes a FreeRADIUS configuration that does what Cordon does: EAP-TLS against
# one CA, MAC authentication bypass, accounting into a file.
#   freeradius.sh DIR PORT SECRET SERVER_CERT SERVER_KEY CA
# Accounting listens on PORT + 1. Start it with: freeradius -f -d DIR
set -eu
dir=$1 port=$2 secret=$3 certificate=$4 key=$5 ca=$6
packaged=/etc/freeradius/3.0

mkdir -p "$dir"
cp -r "$packaged"/. "$dir"
rm -f "$dir"/sites-enabled/* "$dir"/mods-enabled/eap
# Chains: the server's file holds its intermediate; ca_file only the root.
cat > "$dir/mods-enabled/eap" <<CONFIG
eap {
	default_eap_type = tls
	timer_expire = 60
	max_sessions = 16384
	tls-config tls-common {
		private_key_file = $key
		certificate_file = $certificate
		ca_file = $ca
		tls_min_version = "1.2"
		tls_max_version = "1.3"
		ecdh_curve = ""
		cache {
			enable = ${CACHE:-no}
			name = "cordon-bench"
			lifetime = 24
		}
	}
	tls {
		tls = tls-common
	}
}
CONFIG
cat > "$dir/sites-enabled/default" <<CONFIG
server default {
	listen {
		type = auth
		ipaddr = 127.0.0.1
		port = $port
	}
	listen {
		type = acct
		ipaddr = 127.0.0.1
		port = $((port + 1))
	}
	authorize {
		eap {
			ok = return
		}
		if (!EAP-Message) {
			update control {
				Auth-Type := Accept
			}
			update reply {
				Tunnel-Type := VLAN
				Tunnel-Medium-Type := IEEE-802
				Tunnel-Private-Group-Id := "50"
			}
		}
	}
	authenticate {
		eap
	}
	preacct {
		preprocess
	}
	accounting {
		detail
	}
	post-auth {
		update reply {
			Tunnel-Type := VLAN
			Tunnel-Medium-Type := IEEE-802
			Tunnel-Private-Group-Id := "20"
		}
	}
}
CONFIG
cat > "$dir/clients.conf" <<CONFIG
client loopback {
	ipaddr = 127.0.0.1
	secret = $secret
	require_message_authenticator = no
}
CONFIG
# Everything it writes stays in DIR, and it runs as whoever starts it.
sed -i \
    -e "s|^\(\s*\)user = .*|\1#user|" -e "s|^\(\s*\)group = .*|\1#group|" \
    -e "s|^raddbdir = .*|raddbdir = $dir|" \
    -e "s|^logdir = .*|logdir = $dir/log.d|" -e "s|^radacctdir = .*|radacctdir = $dir/acct|" \
    -e "s|^run_dir = .*|run_dir = $dir/run|" -e "s|^db_dir = .*|db_dir = $dir|" \
    -e "s|status_server = no|status_server = yes|" -e "s|reject_delay = 1|reject_delay = 0|" \
    "$dir/radiusd.conf"
mkdir -p "$dir/run" "$dir/log.d" "$dir/acct"
