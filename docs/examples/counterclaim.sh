#!/bin/sh
# /usr/local/bin/counterclaim: the command with the settings and the user of the service. Run it as root.
set -eu
umask 077
set -a
. /etc/counterclaim/environment
set +a
exec runuser --user counterclaim -- /opt/counterclaim/bin/counterclaim "$@"
