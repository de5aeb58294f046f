package web

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	"mome/dicomweb"
	"mome/server/viewer"
)

// prefix is where the DICOMweb services are mounted.
const prefix = "/dicom-web"

// Route is one resource and method of the node. The table of routes is what is mounted and what the conformance
// listing prints.
type Route struct {
	Method  string
	Path    string // below the node's root, with {study}, {series}, {instance}, {frames} and {path...}
	Section string // of PS3.18, "" for what is the node's own
	Summary string
	handle  func(*services) handler
}

// handler answers a request for what ref names. An error that it returns is answered by the caller, unless the header
// is out already: then the connection is broken off, so that nobody takes a half for the whole.
type handler func(w http.ResponseWriter, r *http.Request, ref dicomweb.Ref) error

// Routes returns the table of routes, in the order of the standard. HEAD comes with every GET, OPTIONS with every
// path.
func Routes() []Route {
	const (
		study    = prefix + "/studies/{study}"
		series   = study + "/series/{series}"
		instance = series + "/instances/{instance}"
		workitem = prefix + "/workitems/{workitem}"
	)
	retrieve := func(s *services) handler { return s.wado.Instances }
	metadata := func(s *services) handler { return s.wado.Metadata }
	bulkData := func(s *services) handler { return s.wado.AllBulkData }
	pixelData := func(s *services) handler { return s.wado.PixelData }
	rendered := func(s *services) handler { return s.render.Rendered }
	thumbnail := func(s *services) handler { return s.render.Thumbnail }
	store := func(s *services) handler { return s.stow.Store }
	remove := func(s *services) handler { return s.delete }
	findSeries := func(s *services) handler { return s.qido.Series }
	findInstances := func(s *services) handler { return s.qido.Instances }
	return []Route{
		{"GET", study, "10.4.1.1.1", "Retrieve a study", retrieve},
		{"GET", series, "10.4.1.1.1", "Retrieve a series", retrieve},
		{"GET", instance, "10.4.1.1.1", "Retrieve an instance", retrieve},
		{"GET", study + "/metadata", "10.4.1.1.2", "Metadata of a study", metadata},
		{"GET", series + "/metadata", "10.4.1.1.2", "Metadata of a series", metadata},
		{"GET", instance + "/metadata", "10.4.1.1.2", "Metadata of an instance", metadata},
		{"GET", study + "/bulkdata", "10.4.1.1.5", "Bulk data of a study", bulkData},
		{"GET", series + "/bulkdata", "10.4.1.1.5", "Bulk data of a series", bulkData},
		{"GET", instance + "/bulkdata", "10.4.1.1.5", "Bulk data of an instance", bulkData},
		{"GET", instance + "/bulkdata/{path...}", "10.4.1.1.5", "A value that metadata refer to", func(s *services) handler { return s.wado.BulkData }},
		{"GET", study + "/pixeldata", "10.4.1.1.6", "Pixel data of a study", pixelData},
		{"GET", series + "/pixeldata", "10.4.1.1.6", "Pixel data of a series", pixelData},
		{"GET", instance + "/pixeldata", "10.4.1.1.6", "Pixel data of an instance", pixelData},
		{"GET", instance + "/frames/{frames}", "10.4.1.1.6", "Frames of an instance", func(s *services) handler { return s.wado.Frames }},
		{"GET", study + "/rendered", "10.4.1.1.3", "Images and reports of a study, for people", rendered},
		{"GET", series + "/rendered", "10.4.1.1.3", "Images and reports of a series", rendered},
		{"GET", instance + "/rendered", "10.4.1.1.3", "An instance as an image, page or document", rendered},
		{"GET", instance + "/frames/{frames}/rendered", "10.4.1.1.3", "Frames as images", rendered},
		{"GET", study + "/thumbnail", "10.4.1.1.4", "Small image of a study", thumbnail},
		{"GET", series + "/thumbnail", "10.4.1.1.4", "Small image of a series", thumbnail},
		{"GET", instance + "/thumbnail", "10.4.1.1.4", "Small image of an instance", thumbnail},
		{"GET", instance + "/frames/{frames}/thumbnail", "10.4.1.1.4", "Small image of a frame", thumbnail},
		{"POST", prefix + "/studies", "10.5", "Store instances", store},
		{"POST", study, "10.5", "Store instances of one study", store},
		{"GET", prefix + "/studies", "10.6", "Search for studies", func(s *services) handler { return s.qido.Studies }},
		{"GET", study + "/series", "10.6", "Search for series of a study", findSeries},
		{"GET", study + "/instances", "10.6", "Search for instances of a study", findInstances},
		{"GET", prefix + "/series", "10.6", "Search for series", findSeries},
		{"GET", series + "/instances", "10.6", "Search for instances of a series", findInstances},
		{"GET", prefix + "/instances", "10.6", "Search for instances", findInstances},
		{"DELETE", study, "", "Delete a study, where that is allowed", remove},
		{"DELETE", series, "", "Delete a series, where that is allowed", remove},
		{"DELETE", instance, "", "Delete an instance, where that is allowed", remove},
		{"POST", prefix + "/workitems", "11.4", "Create a workitem", func(s *services) handler { return s.ups.Create }},
		{"GET", workitem, "11.5", "Retrieve a workitem", func(s *services) handler { return s.ups.Retrieve }},
		{"POST", workitem, "11.6", "Update a workitem", func(s *services) handler { return s.ups.Update }},
		{"PUT", workitem + "/state", "11.7", "Claim, complete or cancel a workitem", func(s *services) handler { return s.ups.ChangeState }},
		{"POST", workitem + "/cancelrequest", "11.8", "Ask for the cancellation of a workitem", func(s *services) handler { return s.ups.RequestCancel }},
		{"GET", prefix + "/workitems", "11.9", "Search for workitems", func(s *services) handler { return s.ups.Search }},
		{"POST", workitem + "/subscribers/{aetitle}", "11.10", "Subscribe to a workitem, or to all by their well-known UIDs", func(s *services) handler { return s.ups.Subscribe }},
		{"DELETE", workitem + "/subscribers/{aetitle}", "11.11", "Unsubscribe", func(s *services) handler { return s.ups.Unsubscribe }},
		{"POST", workitem + "/subscribers/{aetitle}/suspend", "11.12", "Subscribe to no further workitems", func(s *services) handler { return s.ups.Suspend }},
		{"GET", prefix + "/subscribers/{aetitle}", "8.10.4", "Event reports, by WebSocket", func(s *services) handler { return s.ups.Listen }},
		{"POST", prefix + "/commitment-requests/{transaction}", "13.4", "Ask whether instances are kept", func(s *services) handler { return s.promises.Request }},
		{"GET", prefix + "/commitment-requests/{transaction}", "13.5", "What was asked and is kept", func(s *services) handler { return s.promises.Result }},
		{"GET", prefix + "/conformance", "", "Conformance statement", func(s *services) handler { return s.conformance }},
		{"GET", prefix, "", "This list", func(s *services) handler { return s.listing }},
		{"GET", "/wado", "9", "An instance by WADO-URI: requestType=WADO", func(s *services) handler { return s.render.URI }},
		{"GET", "/", "", "Page of all studies", func(s *services) handler { return s.page.Index }},
		{"GET", "/study/{study}", "", "Page of a study: what was found, and why", func(s *services) handler { return s.page.Study }},
		{"GET", "/study/{study}/findings.json", "", "The same for programs", func(s *services) handler { return s.page.Findings }},
		{"GET", "/study/{study}/pictures/{picture}", "", "A picture of the page", func(s *services) handler { return s.page.Picture }},
		{"GET", "/favicon.ico", "", "Icon of the pages", func(s *services) handler { return s.page.Icon }},
		{"GET", "/jobs", "", "Analyses, newest first", func(s *services) handler { return s.listJobs }},
		{"GET", "/jobs/{study}", "", "Analysis of a study", func(s *services) handler { return s.showJob }},
		{"GET", viewer.Path, "", "OHIF viewer, where it is installed", func(s *services) handler { return s.viewer }},
		{"GET", viewer.Path + "/{path...}", "", "Pages and files of the viewer", func(s *services) handler { return s.viewer }},
		{"GET", "/metrics", "", "Counts for Prometheus", func(s *services) handler { return s.showMetrics }},
		{"GET", "/healthz", "", "200 while the node can answer searches", func(s *services) handler { return s.health }},
	}
}

// WriteRoutes writes the table of routes as text.
func WriteRoutes(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, r := range Routes() {
		section := r.Section
		if section != "" {
			section = "PS3.18 " + section
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.Method, r.Path, r.Summary, section)
	}
	return t.Flush()
}

// listing answers with the table of routes.
func (s *services) listing(w http.ResponseWriter, _ *http.Request, _ dicomweb.Ref) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	return WriteRoutes(w)
}

// pattern returns the path as the router writes it, and the names of its parameters.
func (r Route) pattern() (pattern string, names []string) {
	var b strings.Builder
	for i, segment := range strings.Split(r.Path, "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		name, ok := strings.CutPrefix(segment, "{")
		if !ok {
			b.WriteString(segment)
			continue
		}
		name = strings.TrimSuffix(name, "}")
		if rest, ok := strings.CutSuffix(name, "..."); ok {
			b.WriteByte('*')
			names = append(names, rest)
			continue
		}
		b.WriteString(":" + name)
		names = append(names, name)
	}
	return b.String(), names
}
