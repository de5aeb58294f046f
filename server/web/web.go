// Package web is the node's HTTP side: it mounts the DICOMweb services under /dicom-web, the list of analyses and the
// pages, and does for all of them what is common: errors in words, CORS, compression, the request log, limits
// and deadlines. It is the only importer of echo and holds no rule of DICOM.
package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/commitment"
	"mome/dicomweb/qido"
	"mome/dicomweb/render"
	"mome/dicomweb/stow"
	"mome/dicomweb/ups"
	"mome/dicomweb/wado"
	"mome/server/access"
	"mome/server/page"
	"mome/server/viewer"
	"mome/server/words"
)

// Archive is what the services need of the store; *archive.Archive has it.
type Archive interface {
	stow.Archive
	qido.Archive
	wado.Archive
	render.Archive
	page.Archive
	commitment.Archive
	// Delete takes out what ref names and returns how many instances that were; see archive.Archive.
	Delete(ctx context.Context, ref dicomweb.Ref) (int, error)
}

var _ Archive = (*archive.Archive)(nil)

// Config wires a Server. Only Archive is needed.
type Config struct {
	Archive Archive
	Jobs    Jobs   // default: none, and the node says that it does not analyse
	Node    string // what pages call the node; default "MOME"
	Model   string // the model in one line, for pages
	Version string // of the software
	// Language is that of pages for who asks for none; default English.
	Language words.Language
	// Deliveries tells where results were sent; default: nowhere.
	Deliveries page.Deliveries
	// Worklist is what the node serves as UPS-RS; default: none.
	Worklist *ups.Worklist
	// Viewer is served under viewer.Path; default: none.
	Viewer *viewer.Viewer

	// PublicURL is the URL at which clients reach the node, where that is not what they send as Host: behind a proxy
	// that changes it. "/dicom-web" is added unless it ends so.
	PublicURL string
	// TrustForwarded believes Forwarded and X-Forwarded-* headers. Only a node that no client reaches around its proxy may.
	TrustForwarded bool
	// Access tells who may do what; default: everyone may everything. Limiter holds peers to their share, Audit gets a line
	// for each access; default: none.
	Access  *access.Guard
	Limiter *access.Limiter
	Audit   *access.Audit
	// TLS is what Serve talks, default: plain HTTP.
	TLS *tls.Config
	// AllowDelete lets peers of the scope delete take studies, series and instances out. Forget is called before the last
	// instance of a study goes and ends its analysis; default: nothing is.
	AllowDelete bool
	Forget      func(ctx context.Context, study string) error
	// Origins may read the answers from other sites' pages (CORS), "*" for all, which is the default; "none" for none.
	Origins []string
	// Reads and Makes are the SOP Classes that the analysis reads and makes, MaxInstanceBytes is the archive's limit; for
	// the conformance statement alone.
	Reads, Makes     []string
	MaxInstanceBytes int64
	// MaxRequestBytes bounds a request's body as it is sent; default 64 GiB.
	MaxRequestBytes int64
	// Store sets the Store transaction: MaxParts, MaxMetadata, SpoolDir and RefuseDuplicates; the rest comes from here.
	Store stow.Config
	// Stall is how long a request or answer may stand still; default 1 minute. A whole one may take as long as it needs.
	Stall time.Duration
	// Grace is how long Serve waits for requests that run when it is told to end; default 30 seconds.
	Grace time.Duration
	Log   *slog.Logger     // default: nothing is logged
	Now   func() time.Time // default time.Now
}

// Server is the node's HTTP side. It is an http.Handler, safe for concurrent use.
type Server struct {
	cfg  Config
	echo *echo.Echo
}

// services are the handlers' receivers.
type services struct {
	cfg       Config
	base      func(*http.Request) string
	crossSite *http.CrossOriginProtection
	metrics   *metrics
	promises  *commitment.Service
	stow      *stow.Service
	qido      *qido.Service
	wado      *wado.Service
	page      *page.Service
	render    *render.Service
	ups       *ups.Service
}

// New checks cfg and mounts all routes.
func New(cfg Config) (*Server, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	s := &services{cfg: cfg, base: cfg.baseURL(), metrics: newMetrics()}
	var err error
	if s.crossSite, err = crossSite(cfg); err != nil {
		return nil, err
	}
	store := cfg.Store
	store.Archive, store.BaseURL, store.MaxBytes, store.Log = recording{cfg.Archive}, s.base, cfg.MaxRequestBytes, cfg.Log
	if s.stow, err = stow.New(store); err != nil {
		return nil, err
	}
	if s.promises, err = commitment.New(commitment.Config{Archive: cfg.Archive, Now: cfg.Now, Log: cfg.Log}); err != nil {
		return nil, err
	}
	if s.qido, err = qido.New(qido.Config{Archive: cfg.Archive, BaseURL: s.base}); err != nil {
		return nil, err
	}
	if s.wado, err = wado.New(wado.Config{Archive: cfg.Archive, BaseURL: s.base, Log: cfg.Log}); err != nil {
		return nil, err
	}
	if s.render, err = render.New(render.Config{Archive: cfg.Archive, BaseURL: s.base, Retrieve: s.wado, Log: cfg.Log}); err != nil {
		return nil, err
	}
	if s.ups, err = ups.NewService(ups.ServiceConfig{Worklist: cfg.Worklist, BaseURL: s.base, Origins: cfg.channelOrigins()}); err != nil {
		return nil, err
	}
	if s.page, err = page.New(page.Config{
		Archive: cfg.Archive, Jobs: cfg.Jobs, BaseURL: s.base, Node: cfg.Node, Model: cfg.Model, Version: cfg.Version,
		Language: cfg.Language, Viewer: cfg.Viewer.Link, Deliveries: cfg.Deliveries, Now: cfg.Now,
	}); err != nil {
		return nil, err
	}
	return &Server{cfg: cfg, echo: mount(s)}, nil
}

func (c *Config) complete() error {
	switch {
	case c.Archive == nil:
		return errors.New("Config.Archive is missing")
	case c.MaxRequestBytes < 0:
		return fmt.Errorf("Config.MaxRequestBytes is %d", c.MaxRequestBytes)
	case c.Stall < 0 || c.Grace < 0:
		return errors.New("Config.Stall or Config.Grace is negative")
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("Config.PublicURL is %q: http(s)://host[:port][/path] is expected", c.PublicURL)
		}
		c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	}
	c.defaults()
	return nil
}

// defaults fills in what is not set.
func (c *Config) defaults() {
	if c.Jobs == nil {
		c.Jobs = noJobs{}
	}
	if c.Node == "" {
		c.Node = "MOME"
	}
	if len(c.Origins) == 0 {
		c.Origins = []string{"*"}
	}
	if c.MaxRequestBytes == 0 {
		c.MaxRequestBytes = 64 << 30
	}
	if c.Stall == 0 {
		c.Stall = time.Minute
	}
	if c.Grace == 0 {
		c.Grace = 30 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// maxHeader bounds a request's line and header, in bytes.
const maxHeader = 256 << 10

// Serve answers requests from l until ctx ends, then lets those that run come to their end for at most Config.Grace.
// It returns nil after that, or the error that ended it earlier. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 15 * time.Second,
		IdleTimeout:       3 * time.Minute, // viewers keep their connections; no limit on a whole upload, see Config.Stall
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	serve := server.Serve
	if s.cfg.TLS != nil {
		server.TLSConfig = s.cfg.TLS
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	ended := make(chan error, 1)
	go func() { ended <- serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("web: serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Grace)
	defer cancel()
	err := server.Shutdown(grace)
	if err != nil {
		err = errors.Join(fmt.Errorf("web: requests still ran after %s: %w", s.cfg.Grace, err), server.Close())
	}
	<-ended
	return err
}

// mount returns the router with all routes and what stands around each.
func mount(s *services) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(io.Discard)
	e.HTTPErrorHandler = func(err error, c echo.Context) { answerError(c.Response(), c.Request(), err) }
	e.Pre(cleanPath)
	e.Use(s.observe, s.cors, s.limits, compress())
	methods := map[string][]string{}
	var order []string
	for _, r := range Routes() {
		pattern, names := r.pattern()
		h := s.guarded(r, adapt(r.handle(s), names))
		e.Add(r.Method, pattern, h)
		if len(methods[pattern]) == 0 {
			order = append(order, pattern)
			methods[pattern] = []string{http.MethodOptions}
		}
		methods[pattern] = append(methods[pattern], r.Method)
		if r.Method == http.MethodGet {
			e.Add(http.MethodHead, pattern, h)
			methods[pattern] = append(methods[pattern], http.MethodHead)
		}
	}
	for _, pattern := range order {
		e.Add(http.MethodOptions, pattern, s.options(pattern, strings.Join(methods[pattern], ", ")))
	}
	return e
}
