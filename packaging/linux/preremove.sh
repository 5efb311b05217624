#!/bin/sh
# Before the files go. deb: remove, upgrade; rpm: 0, or 1 for an upgrade, which
# the service rides out and is restarted after, once.
set -e
case "$1" in
remove | deconfigure | 0)
	if command -v systemctl >/dev/null; then
		if [ -d /run/systemd/system ]; then
			systemctl stop labcourier.service || true
		fi
		systemctl disable labcourier.service >/dev/null 2>&1 || true
	fi
	;;
esac
