package web

import (
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/labstack/echo/v4"

	"mome/dicomweb/mediatype"
)

// smallest is the length in bytes from which an answer is compressed.
const smallest = 1 << 10

// compress sends JSON and text with gzip where the client takes it. Pixels and objects go as they are: they hardly
// shrink, and stored bytes are sent as stored.
func compress() echo.MiddlewareFunc {
	pool := &sync.Pool{New: func() any {
		z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
		return z
	}}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r, w := c.Request(), c.Response()
			if r.Method == http.MethodHead || !mediatype.TakesGzip(r) {
				return next(c)
			}
			g := &gzipWriter{ResponseWriter: w.Writer, pool: pool}
			w.Writer = g
			err := next(c)
			if err == nil {
				err = g.finish()
			}
			w.Writer = g.ResponseWriter
			return err
		}
	}
}

// gzipWriter decides on compression when the header is written.
type gzipWriter struct {
	http.ResponseWriter
	pool *sync.Pool
	z    *gzip.Writer // nil when the answer is not compressed
}

func (g *gzipWriter) WriteHeader(status int) {
	h := g.Header()
	if status == http.StatusOK && compressible(h) {
		h.Del("Content-Length")
		h.Set("Content-Encoding", "gzip")
		g.z = g.pool.Get().(*gzip.Writer)
		g.z.Reset(g.ResponseWriter)
	}
	g.ResponseWriter.WriteHeader(status)
}

func compressible(h http.Header) bool {
	if h.Get("Content-Encoding") != "" || h.Get("Content-Range") != "" {
		return false
	}
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil && n < smallest {
		return false
	}
	ct := h.Get("Content-Type")
	return strings.Contains(ct, "json") || strings.HasPrefix(ct, "text/")
}

// Write is called after WriteHeader: echo sees to that.
func (g *gzipWriter) Write(b []byte) (int, error) {
	if g.z == nil {
		return g.ResponseWriter.Write(b)
	}
	return g.z.Write(b)
}

func (g *gzipWriter) finish() error {
	if g.z == nil {
		return nil
	}
	err := g.z.Close()
	g.z.Reset(nil)
	g.pool.Put(g.z)
	g.z = nil
	return err
}

// Unwrap serves http.ResponseController.
func (g *gzipWriter) Unwrap() http.ResponseWriter { return g.ResponseWriter }
