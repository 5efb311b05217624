#!/bin/sh
# After the files are there. deb: configure [OLD VERSION]; rpm: 1, or 2 for an
# upgrade.
set -e
case "$1" in
configure) if [ -n "$2" ]; then upgrade=yes; else upgrade=; fi ;;
1) upgrade= ;;
2) upgrade=yes ;;
*) exit 0 ;;
esac

if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers labcourier.conf
elif ! getent passwd labcourier >/dev/null; then
	useradd --system --user-group --groups dialout --home-dir /var/lib/labcourier \
		--no-create-home --shell /usr/sbin/nologin labcourier
fi
# Secrets may stand beside it: nobody else looks in.
chown root:labcourier /etc/labcourier /etc/labcourier/labcourier.toml
chmod 0750 /etc/labcourier
chmod 0640 /etc/labcourier/labcourier.toml

command -v systemctl >/dev/null || exit 0
if [ -z "$upgrade" ]; then
	systemctl enable labcourier.service >/dev/null 2>&1 || true
fi
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
if [ -n "$upgrade" ]; then
	# A service that will not start is no reason for a package half installed.
	if ! systemctl try-restart labcourier.service; then
		echo "labcourier: the service does not start; why says:"
		echo "  sudo journalctl --unit=labcourier --lines=20"
	fi
elif runuser -u labcourier -- labcourier check >/dev/null 2>&1; then
	systemctl start labcourier.service
else
	echo "labcourier: complete /etc/labcourier/labcourier.toml, then:"
	echo "  sudo labcourier check && sudo systemctl start labcourier"
fi
