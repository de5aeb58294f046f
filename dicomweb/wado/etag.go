package wado

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// entityTag returns the entity tag (RFC 9110 section 8.8.3) of what parts tell: the SHA-256 of the stored file and the
// form of the answer. It is weak where two answers of the same tag may differ in their bytes: multipart ones in their
// boundary, those made on the way between versions of this program.
func entityTag(weak bool, parts ...any) string {
	h := sha256.New()
	fmt.Fprintln(h, parts...)
	tag := `"` + hex.EncodeToString(h.Sum(nil)[:16]) + `"`
	if weak {
		return "W/" + tag
	}
	return tag
}
