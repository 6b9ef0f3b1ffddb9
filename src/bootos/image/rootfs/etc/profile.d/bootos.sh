# For the person at the console.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
PS1='[BootOS] \w # '
export PATH
cat /etc/motd
