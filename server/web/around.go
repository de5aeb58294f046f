package web

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/labstack/echo/v4"
)

// observe logs each request by its route, never by its path or query, which may hold names; and turns a panic into an
// error. The log line says status, duration and the bytes that came and went.
func (s *services) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		begin, w := s.cfg.Now(), c.Response()
		defer s.metrics.begin()()
		body := &countingBody{body: c.Request().Body}
		c.Request().Body = body
		defer func() {
			aborted := false
			if p := recover(); p != nil {
				if err, aborted = panicked(p); !aborted {
					s.cfg.Log.Error("panic", "route", c.Path(), "error", err, "stack", string(debug.Stack()))
				}
			}
			status := w.Status
			if err != nil && !w.Committed {
				status = statusOf(c.Request(), err)
			}
			took := s.cfg.Now().Sub(begin)
			s.log(c, status, body.n, took, err)
			s.metrics.add(c.Request().Method, c.Path(), status, body.n, w.Size, took)
			if aborted {
				panic(http.ErrAbortHandler)
			}
		}()
		return next(c)
	}
}

func panicked(p any) (err error, aborted bool) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return err, true
	}
	return fmt.Errorf("panic: %v", p), false
}

func (s *services) log(c echo.Context, status int, in int64, took time.Duration, err error) {
	level := slog.LevelDebug
	attrs := []slog.Attr{
		slog.String("method", c.Request().Method), slog.String("route", c.Path()), slog.Int("status", status),
		slog.Duration("took", took), slog.Int64("in", in), slog.Int64("out", c.Response().Size),
	}
	switch {
	case status == statusClosed:
	case status >= 500 || err != nil && c.Response().Committed:
		level = slog.LevelError
	case status >= 400:
		level = slog.LevelInfo
	}
	if err != nil && level != slog.LevelDebug {
		attrs = append(attrs, slog.Any("error", err))
	}
	s.cfg.Log.LogAttrs(c.Request().Context(), level, "request", attrs...)
}

type countingBody struct {
	body io.ReadCloser
	n    int64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.n += int64(n)
	return n, err
}

func (b *countingBody) Close() error { return b.body.Close() }

// cors lets pages of other sites read the answers, errors included, and keeps browsers from guessing types.
func (s *services) cors(next echo.HandlerFunc) echo.HandlerFunc {
	any := slices.Contains(s.cfg.Origins, "*")
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Add("Vary", "Accept, Accept-Encoding")
		origin := c.Request().Header.Get("Origin")
		switch {
		case any:
			h.Set("Access-Control-Allow-Origin", "*")
		case origin != "" && slices.Contains(s.cfg.Origins, origin):
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true") // a named site may use the browser's password or certificate
		}
		if !any {
			h.Add("Vary", "Origin")
		}
		if h.Get("Access-Control-Allow-Origin") != "" {
			h.Set("Access-Control-Expose-Headers", "Content-Length, Content-Range, Content-Location, Location, ETag, Warning, Link, Retry-After, WWW-Authenticate")
			h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		}
		return next(c)
	}
}

// limits bounds the body's size, by what its header says and by what really comes, and how long a request or answer may
// stand still: a whole one may take hours.
func (s *services) limits(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, w := c.Request(), c.Response()
		if r.ContentLength > s.cfg.MaxRequestBytes { // told before it is sent, where the client asks first
			return &http.MaxBytesError{Limit: s.cfg.MaxRequestBytes}
		}
		control := http.NewResponseController(w.Writer)
		r.Body = http.MaxBytesReader(w.Writer, r.Body, s.cfg.MaxRequestBytes)
		r.Body = &patientBody{body: r.Body, control: control, stall: s.cfg.Stall}
		w.Writer = &patientWriter{ResponseWriter: w.Writer, control: control, stall: s.cfg.Stall}
		return next(c)
	}
}

// patientBody moves the connection's read deadline on with each read. The clock is the network's own, not the node's. A
// connection without deadlines, such as a test's recorder, says so by an error that does not matter.
type patientBody struct {
	body    io.ReadCloser
	control *http.ResponseController
	stall   time.Duration
	set     time.Time
}

func (b *patientBody) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(b.set) > b.stall/8 {
		b.set = now
		b.control.SetReadDeadline(now.Add(b.stall))
	}
	n, err := b.body.Read(p)
	if err != nil { // the server watches the connection from now on and must not time out doing so
		b.control.SetReadDeadline(time.Time{})
		b.set = time.Time{}
	}
	return n, err
}

func (b *patientBody) Close() error { return b.body.Close() }

type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	set     time.Time
}

func (w *patientWriter) Write(p []byte) (int, error) {
	if now := time.Now(); now.Sub(w.set) > w.stall/8 {
		w.set = now
		w.control.SetWriteDeadline(now.Add(w.stall))
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
