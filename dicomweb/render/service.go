package render

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime"

	"mome/dicomweb"
	"mome/dicomweb/archive"
)

// Archive holds the instances; *archive.Archive does.
type Archive interface {
	// Instances lists what lies below ref in a stable order; nothing is an error of kind dicomweb.NotFound.
	Instances(ctx context.Context, ref dicomweb.Ref) ([]archive.Instance, error)
	// Open opens the stored file.
	Open(ctx context.Context, i archive.Instance) (*archive.Object, error)
}

// Retriever answers a retrieval of instances, by the request's Accept; *wado.Service does.
type Retriever interface {
	Instances(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error
}

// Config wires a Service. Archive and BaseURL are needed.
type Config struct {
	Archive        Archive
	BaseURL        func(*http.Request) string // URL of the service root as the client reaches it, without a slash at its end
	Retrieve       Retriever                  // of application/dicom by WADO-URI; default: not there
	ThumbnailBytes int64                      // kept in memory; default 32 MiB
	Renderings     int                        // made at the same time, of up to 1 GiB each while they run; default: one for each CPU
	Log            *slog.Logger               // parts of a study that could not be rendered; default: nothing is logged
}

// Service answers requests for rendered resources. It is safe for concurrent use.
type Service struct {
	cfg        Config
	slots      chan struct{} // taken while a picture is made
	thumbnails cache[[]byte]
	headers    cache[opened]
}

// headerBytes bounds the headers of large objects that are kept between the requests for their frames.
const headerBytes = 32 << 20

// New checks cfg.
func New(cfg Config) (*Service, error) {
	switch {
	case cfg.Archive == nil:
		return nil, errors.New("render: Config.Archive is missing")
	case cfg.BaseURL == nil:
		return nil, errors.New("render: Config.BaseURL is missing")
	case cfg.ThumbnailBytes < 0 || cfg.Renderings < 0:
		return nil, errors.New("render: Config.ThumbnailBytes or Config.Renderings is negative")
	}
	if cfg.ThumbnailBytes == 0 {
		cfg.ThumbnailBytes = 32 << 20
	}
	if cfg.Renderings == 0 {
		cfg.Renderings = runtime.GOMAXPROCS(0)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{cfg: cfg, slots: make(chan struct{}, cfg.Renderings)}
	s.thumbnails.limit, s.headers.limit = cfg.ThumbnailBytes, headerBytes
	return s, nil
}

// begin waits for a free slot; the caller ends by calling what it returns.
func (s *Service) begin(ctx context.Context) (end func(), err error) {
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
