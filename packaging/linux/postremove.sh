#!/bin/sh
# After the files are gone. Messages and configuration stay, unless a deb is
# purged.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
if [ "$1" = purge ]; then
	rm -rf /var/lib/labcourier /etc/labcourier /etc/systemd/system/labcourier.service.d
	if getent passwd labcourier >/dev/null; then
		userdel labcourier || true
	fi
	if getent group labcourier >/dev/null; then
		groupdel labcourier || true
	fi
fi
