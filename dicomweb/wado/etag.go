package wado

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
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

// notModified sets the entity tag of an answer, and answers 304 where the client has it. What is stored under a UID can be
// replaced or withdrawn, so a client asks each time.
func notModified(w http.ResponseWriter, r *http.Request, tag string) bool {
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	if !matches(r.Header.Get("If-None-Match"), tag) {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

// matches reports whether an If-None-Match header names the tag, by weak comparison (RFC 9110 section 13.1.2).
func matches(header, tag string) bool {
	strip := func(s string) string { return strings.TrimPrefix(strings.TrimSpace(s), "W/") }
	for candidate := range strings.SplitSeq(header, ",") {
		if c := strip(candidate); c == "*" || c != "" && c == strip(tag) {
			return true
		}
	}
	return false
}
