~end
MARK
)
case $newline$said in
*"$newline/dev/fd/3:~end") printf '%s\n' "${said%/dev/fd/3:~end}" ;;
*) failed grep "$said" ;;
esac
end
