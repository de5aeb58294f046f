//go:build !openjpeg

package pixel

// decodeJPEG2000 says what would read JPEG 2000: in Go there is no decoder of it that is well kept.
func (d *Decoder) decodeJPEG2000(_ Layout, transferSyntax string, _ []byte) ([]byte, error) {
	return nil, unsupported(transferSyntax, "; a build with the tag openjpeg (cgo, OpenJPEG 2.5) reads it")
}
