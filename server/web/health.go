package web

import (
	"net/http"

	"mome/dicomweb"
	"mome/dicomweb/query"
)

// health answers GET /healthz: 200 when the index answers, 503 otherwise.
func (s *services) health(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	if _, _, err := s.cfg.Archive.Find(r.Context(), query.Query{Level: query.Study, Limit: -1}); err != nil {
		return &dicomweb.Error{Kind: dicomweb.Unavailable, Text: "The index does not answer.", Err: err}
	}
	return answerJSON(w, struct {
		Status  string `json:"status"`
		Version string `json:"version,omitempty"`
	}{"ok", s.cfg.Version})
}
