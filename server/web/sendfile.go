package web

import (
	"io"
	"time"

	"github.com/labstack/echo/v4"
)

// The answer's writers pass on a reader that the connection can take from a file without copying (sendfile). Each
// does with it what it does with a Write.

// response is echo's response with ReadFrom.
type response struct{ *echo.Response }

func (r response) ReadFrom(from io.Reader) (int64, error) {
	if !r.Committed {
		r.WriteHeader(r.statusOr200())
	}
	n, err := io.Copy(r.Writer, from)
	r.Size += n
	return n, err
}

func (r response) statusOr200() int {
	if r.Status == 0 {
		return 200
	}
	return r.Status
}

func (g *gzipWriter) ReadFrom(from io.Reader) (int64, error) {
	if g.z == nil {
		return io.Copy(g.ResponseWriter, from)
	}
	return io.Copy(g.z, from)
}

// stretch is how many bytes are sent between two looks at the deadline.
const stretch = 4 << 20

func (w *patientWriter) ReadFrom(from io.Reader) (total int64, err error) {
	limited, whole := from.(*io.LimitedReader)
	for {
		w.control.SetWriteDeadline(time.Now().Add(w.stall))
		next := &io.LimitedReader{R: from, N: stretch}
		if whole { // one limit, not two: the connection looks for a file right below it
			next.R, next.N = limited.R, min(limited.N, stretch)
		}
		n, err := io.Copy(w.ResponseWriter, next)
		total += n
		if whole {
			limited.N -= n
		}
		if err != nil || n < stretch || whole && limited.N == 0 {
			return total, err
		}
	}
}
