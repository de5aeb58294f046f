package web

import (
	"net/http"
	"net/url"
	"strings"

	"mome/dicomweb"
)

// viewer answers for the viewer's pages and files.
func (s *services) viewer(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	if s.cfg.Viewer == nil {
		return dicomweb.Errorf(dicomweb.NotFound, "This node serves no viewer: it was switched off.")
	}
	u, err := url.Parse(strings.TrimSuffix(s.base(r), prefix))
	if err != nil {
		return err
	}
	return s.cfg.Viewer.Serve(w, r, u.Path, r.PathValue("path"))
}
