# SPDX-License-Identifier: Apache-2.0
#
# Makes the page breakout.yaml(5) from the sample that has every key, whose
# comments a test keeps true: the sample is the reference.
BEGIN {
	print ".\\\" Made from config/samples/breakout.yaml."
	print ".Dd November 25, 2026"
	print ".Dt BREAKOUT.YAML 5"
	print ".Os breakout"
	print ".Sh NAME"
	print ".Nm breakout.yaml"
	print ".Nd configuration of breakoutd"
	print ".Sh DESCRIPTION"
	print "The configuration of"
	print ".Xr breakoutd 8"
	print "is one YAML file and those of a folder"
	print ".Pa conf.d"
	print "beside it."
	print "Below is the whole of it, with every key, its default and its meaning;"
	print ".Ql breakoutctl check"
	print "names every mistake in a file, with line and column."
	print "A file needs few of them: see"
	print ".Pa /usr/share/breakout/samples/minimal.yaml ."
	print ".Bd -literal"
}
NR == 1 && /SPDX/ { next }
{
	gsub(/\\/, "\\e")
	gsub(/-/, "\\-")
	sub(/^\./, "\\\\\\&.")
	sub(/^'/, "\\\\\\&'")
	print
}
END {
	print ".Ed"
	print ".Sh SEE ALSO"
	print ".Xr breakoutctl 1 ,"
	print ".Xr breakoutd 8"
}
