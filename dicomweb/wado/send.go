package wado

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// serve sends body as the whole answer, or the ranges of it that are asked for; a range of another unit than bytes is
// ignored (RFC 9110 section 14.2). Type and entity tag are set before.
func serve(w http.ResponseWriter, r *http.Request, body *io.SectionReader) error {
	unit, _, _ := strings.Cut(r.Header.Get("Range"), "=")
	if strings.EqualFold(strings.TrimSpace(unit), "bytes") || r.Header.Get("If-Match") != "" {
		http.ServeContent(w, r, "", time.Time{}, body)
		return nil
	}
	w.Header().Set("Accept-Ranges", "bytes")
	w.Header().Set("Content-Length", strconv.FormatInt(body.Size(), 10))
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := send(w, body)
	return err
}

// send copies body to w. What lies in a file as it is sent goes the system's short way from file to connection.
func send(w io.Writer, body io.Reader) (int64, error) {
	if s, ok := body.(*io.SectionReader); ok {
		outer, off, n := s.Outer()
		if o, ok := outer.(interface {
			Stretch(off, n int64) (io.Reader, error)
		}); ok {
			r, err := o.Stretch(off, n)
			if err != nil {
				return 0, err
			}
			body = r
		}
	}
	return io.Copy(w, body)
}
