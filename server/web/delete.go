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
	var gone, goneResults, goneSources, results int
	for _, i := range all {
		below := (ref.Series == "" || i.Series == ref.Series) && (ref.Instance == "" || i.Instance == ref.Instance)
		switch {
		case !below && i.Result:
			results++
		case below:
			gone++
			goneResults += count(i.Result)
			goneSources += count(i.Source)
		}
	}
	if gone == len(all) && s.cfg.Forget != nil { // before the files go, so that an analysis that runs stores nothing after
		if err := s.cfg.Forget(r.Context(), ref.Study); err != nil {
			return fmt.Errorf("forget the analysis of a study to be deleted: %w", err)
		}
	}
	n, err := s.cfg.Archive.Delete(r.Context(), ref)
	if err != nil {
		return err
	}
	s.cfg.Log.Info("deleted", "study", ref.Study, "series", ref.Series, "instances", n)
	warn := func(format string, args ...any) {
		w.Header().Add("Warning", "299 "+s.base(r)+" "+strconv.Quote(fmt.Sprintf(format, args...)))
	}
	if goneResults > 0 {
		warn("%d results of this node were deleted too", goneResults)
	}
	if goneSources > 0 && results > 0 {
		warn("%d results of this node stay in the study, though images are gone that they may rest on", results)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
