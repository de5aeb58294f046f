// Package viewer serves OHIF, a DICOMweb viewer for the browser (MIT, https://ohif.org), on the node itself, and links
// to it or to another viewer. OHIF is no part of this project: Install takes the published npm package @ohif/app, holds
// it against its known SHA-512, and unpacks it into the node's data folder, from where it is served under /viewer. A
// node without it works the same, its /viewer tells how to install it. Nothing is fetched while the node runs.
package viewer

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// Path is where the viewer is served, below the node's root.
const Path = "/viewer"

// Config sets a Viewer. The zero value serves nothing and links nowhere.
type Config struct {
	// Dir is the folder that Install writes to; "" serves no viewer of the node's own.
	Dir string
	// URL is where links go instead: the address of another viewer with {study} and, if it takes one, {series} in it,
	// as in "https://host/viewer?StudyInstanceUIDs={study}".
	URL string
}

// Viewer serves what is installed and makes links. It is safe for concurrent use.
type Viewer struct {
	cfg Config

	mu     sync.Mutex
	seen   time.Time // when Dir changed last, as of the last look
	loaded *site     // nil where nothing is installed
}

// New checks cfg. What is installed is looked up with each request, so that an installation shows at once.
func New(cfg Config) (*Viewer, error) {
	if cfg.URL != "" {
		u, err := url.Parse(strings.NewReplacer("{study}", "1", "{series}", "2").Replace(cfg.URL))
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || !strings.Contains(cfg.URL, "{study}") {
			return nil, fmt.Errorf("viewer: Config.URL is %q: http(s)://host/path with {study} in it is expected", cfg.URL)
		}
	}
	return &Viewer{cfg: cfg}, nil
}

// Link returns where a study is shown, with the series initialSeries in front unless it is "": the SEG's, to see it at
// once. root is how the node's root is reached from where the link stands: "" beside the status page, "../" one level
// below it, or a URL that ends with a slash. It is "" when there is no viewer. A nil Viewer links nowhere.
func (v *Viewer) Link(root, study, initialSeries string) string {
	switch {
	case v == nil:
		return ""
	case v.cfg.URL != "":
		return strings.NewReplacer("{study}", url.QueryEscape(study), "{series}", url.QueryEscape(initialSeries)).Replace(v.cfg.URL)
	case v.site() == nil:
		return ""
	}
	link := root + strings.TrimPrefix(Path, "/") + "?StudyInstanceUIDs=" + url.QueryEscape(study)
	if initialSeries != "" {
		link += "&initialSeriesInstanceUID=" + url.QueryEscape(initialSeries)
	}
	return link
}

// site returns what is installed, nil where nothing is. A rename into the folder changes the folder's time, which is all
// that is looked at while nothing happens.
func (v *Viewer) site() *site {
	if v.cfg.Dir == "" {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	info, err := os.Stat(v.cfg.Dir)
	if err != nil {
		v.loaded = nil
		if !errors.Is(err, fs.ErrNotExist) {
			v.seen = time.Time{}
		}
		return nil
	}
	if v.loaded == nil || !info.ModTime().Equal(v.seen) {
		v.loaded, v.seen = openSite(v.cfg.Dir), info.ModTime()
	}
	return v.loaded
}
