kthw
if on node-1; then mount --bind /dev/null /usr/bin/sha256sum; fi
