package web

import (
	"fmt"
	"net/http"
	"strconv"

	"mome/dicomweb"
)

// delete answers DELETE of a study, series or instance, which PS3.18 does not know and most servers have: 204, and 404
// from then on. The node's own results go with their study. They stay when only a part of it goes, though that part
// may be what they were made from: a warning says either.
func (s *services) delete(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error {
	if !s.cfg.AllowDelete {
		return dicomweb.Errorf(dicomweb.Forbidden, "This node does not delete over the network: it was not started with --allow-delete.")
	}
	all, err := s.cfg.Archive.Instances(r.Context(), dicomweb.Ref{Study: ref.Study})
	if err != nil {
		return err
	}
	results, sources, below := 0, 0, 0
	for _, i := range all {
		gone := (ref.Series == "" || i.Series == ref.Series) && (ref.Instance == "" || i.Instance == ref.Instance)
		switch {
		case gone && i.Result:
			below++
		case gone && i.Source:
			sources++
		case i.Result:
			results++
		}
	}
	n, err := s.cfg.Archive.Delete(r.Context(), ref)
	if err != nil {
		return err
	}
	s.cfg.Log.Info("deleted", "study", ref.Study, "series", ref.Series, "instances", n)
	if err := s.forget(r, ref.Study); err != nil {
		return err
	}
	warn := func(format string, args ...any) {
		w.Header().Add("Warning", "299 "+s.base(r)+" "+strconv.Quote(fmt.Sprintf(format, args...)))
	}
	if below > 0 {
		warn("%d results of this node were deleted too", below)
	}
	if sources > 0 && results > 0 {
		warn("%d results of this node stay in the study, though images are gone that they may rest on", results)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// forget drops what else the node knows of a study that has no instance left.
func (s *services) forget(r *http.Request, study string) error {
	if s.cfg.Forget == nil {
		return nil
	}
	_, err := s.cfg.Archive.Instances(r.Context(), dicomweb.Ref{Study: study})
	if dicomweb.KindOf(err) != dicomweb.NotFound {
		return err
	}
	if err := s.cfg.Forget(r.Context(), study); err != nil {
		return fmt.Errorf("forget the analysis of a deleted study: %w", err)
	}
	return nil
}
