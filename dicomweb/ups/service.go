package ups

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/dicomweb/query"
)

// ServiceConfig wires a Service. BaseURL is needed; without a Worklist every resource is answered by 404.
type ServiceConfig struct {
	Worklist *Worklist
	BaseURL  func(*http.Request) string // URL of the service root as the client reaches it, without a slash at its end
	// Origins are the sites whose pages may open a channel, "*" for all; the node's own pages always may.
	Origins    []string
	MaxResults int           // of one search; default 10,000
	Ping       time.Duration // how often a channel is checked; default 30 s
	Stall      time.Duration // how long one event may take to be sent before its channel is closed; default 10 s
}

// Service speaks HTTP for a Worklist. It is safe for concurrent use.
type Service struct{ cfg ServiceConfig }

// NewService checks cfg.
func NewService(cfg ServiceConfig) (*Service, error) {
	switch {
	case cfg.BaseURL == nil:
		return nil, errors.New("ups: ServiceConfig.BaseURL is missing")
	case cfg.MaxResults < 0:
		return nil, fmt.Errorf("ups: ServiceConfig.MaxResults is %d", cfg.MaxResults)
	case cfg.Ping < 0 || cfg.Stall < 0:
		return nil, errors.New("ups: ServiceConfig.Ping or Stall is negative")
	}
	if cfg.MaxResults == 0 {
		cfg.MaxResults = 10_000
	}
	if cfg.Ping == 0 {
		cfg.Ping = 30 * time.Second
	}
	if cfg.Stall == 0 {
		cfg.Stall = 10 * time.Second
	}
	return &Service{cfg}, nil
}

// call is one request.
type call struct {
	*Worklist
	w    http.ResponseWriter
	r    *http.Request
	base string // URL of the service root
	id   string // of the workitem, from the path
}

// begin reads what the resources have in common.
func (s *Service) begin(w http.ResponseWriter, r *http.Request) (*call, error) {
	if s.cfg.Worklist == nil {
		return nil, dicomweb.Errorf(dicomweb.NotFound, "this node keeps no worklist")
	}
	c := &call{s.cfg.Worklist, w, r, s.cfg.BaseURL(r), r.PathValue("workitem")}
	if c.id != "" && !uid.Valid(c.id) {
		return nil, dicomweb.Errorf(dicomweb.BadRequest, "the workitem's UID is malformed: digits and dots expected, at most 64 characters")
	}
	return c, nil
}

// warn adds a header Warning, PS3.18 section 8.4: the code, the service, the sentence.
func (c *call) warn(sentence string) {
	if sentence != "" {
		c.w.Header().Add("Warning", "299 "+c.base+": "+sentence)
	}
}

// fail passes an error on with the Warning that belongs to it.
func (c *call) fail(err error) error {
	var r *refusal
	if errors.As(err, &r) {
		c.warn(r.warning)
	}
	return err
}

// done ends an answer without a payload.
func (c *call) done(status int) error {
	c.w.Header().Set("Content-Length", "0")
	c.w.WriteHeader(status)
	return nil
}

func (c *call) url(id string) string { return c.base + "/workitems/" + id }

// Create answers POST /workitems?{workitem} (PS3.18 11.4).
func (s *Service) Create(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	c, err := s.begin(w, r)
	if err != nil {
		return err
	}
	ds, err := readOne(r)
	if err != nil {
		return err
	}
	id, err := one("Workitem UID", append(bareParameter(r, "workitem", "AffectedSOPInstanceUID"),
		ds.String(tag.SOPInstanceUID), ds.String(tag.New(0, 0x1000))))
	if err != nil {
		return err
	}
	if id == "" {
		return dicomweb.Errorf(dicomweb.BadRequest, "the workitem's UID is missing: POST /workitems?1.2.3, or SOPInstanceUID (0008,0018) in the data set")
	}
	ds.Delete(tag.New(0, 0x1000)) // Affected SOP Instance UID
	modified, err := c.Worklist.Create(r.Context(), id, ds)
	if err != nil {
		return c.fail(err)
	}
	if modified {
		c.warn(warnCreated)
	}
	w.Header().Set("Location", c.url(id))
	w.Header().Set("Content-Location", c.url(id))
	return c.done(http.StatusCreated)
}

// bareParameter returns the values of a parameter that clients write as ?name=UID or as ?UID alone.
func bareParameter(r *http.Request, names ...string) (values []string) {
	for field := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, value, named := strings.Cut(field, "=")
		value, err := url.QueryUnescape(value)
		switch {
		case err != nil:
		case !named && uid.Valid(name):
			values = append(values, name)
		case named && slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }):
			values = append(values, value)
		}
	}
	return values
}

// one returns what the values that are not empty agree on.
func one(what string, values []string) (agreed string, err error) {
	for _, v := range values {
		if v == "" {
			continue
		}
		if agreed != "" && agreed != v {
			return "", dicomweb.Errorf(dicomweb.BadRequest, "%s is given twice with different values", what)
		}
		agreed = v
	}
	return agreed, nil
}

// Retrieve answers GET /workitems/{workitem} (11.5).
func (s *Service) Retrieve(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	c, err := s.begin(w, r)
	if err != nil {
		return err
	}
	form, err := choose(r, false)
	if err != nil {
		return err
	}
	i, err := c.Get(r.Context(), c.id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Location", c.url(c.id))
	return c.answer(form, i.Dataset)
}

// Update answers POST /workitems/{workitem}?{transaction-uid} (11.6). The Transaction UID may be in the data set too, where
// PS3.4 CC.2.6.2 has it.
func (s *Service) Update(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	c, err := s.begin(w, r)
	if err != nil {
		return err
	}
	ds, err := readOne(r)
	if err != nil {
		return err
	}
	transaction, err := one("Transaction UID", append(bareParameter(r, "transaction-uid", "transaction", "transactionUID"), ds.String(tag.TransactionUID)))
	if err != nil {
		return err
	}
	ds.Delete(tag.TransactionUID)
	if err := c.Worklist.Update(r.Context(), c.id, transaction, ds); err != nil {
		return c.fail(err)
	}
	w.Header().Set("Content-Location", c.url(c.id))
	return c.done(http.StatusOK)
}

// ChangeState answers PUT /workitems/{workitem}/state (11.7).
func (s *Service) ChangeState(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	c, err := s.begin(w, r)
	if err != nil {
		return err
	}
	ds, err := readOne(r)
	if err != nil {
		return err
	}
	warning, err := c.Change(r.Context(), c.id, ds.String(tag.TransactionUID), State(ds.String(tag.ProcedureStepState)))
	if err != nil {
		return c.fail(err)
	}
	c.warn(warning)
	w.Header().Set("Content-Location", c.url(c.id))
	return c.done(http.StatusOK)
}

// RequestCancel answers POST /workitems/{workitem}/cancelrequest (11.8). Who asks is named by the data set, or by ?requester=.
func (s *Service) RequestCancel(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	c, err := s.begin(w, r)
	if err != nil {
		return err
	}
	ds, err := readOptional(r)
	if err != nil {
		return err
	}
	who := Cancellation{
		RequestingAE: ds.String(tag.RequestingAE), Reason: ds.String(tag.ReasonForCancellation), ContactURI: ds.String(tag.ContactURI),
		ContactName: ds.String(tag.ContactDisplayName), Code: ds.Item(tag.ProcedureStepDiscontinuationReasonCodeSequence),
	}
	if who.Code != nil && !coded(who.Code) {
		return dicomweb.Errorf(dicomweb.BadRequest, "the discontinuation reason has no Code Value or no Code Meaning")
	}
	if who.RequestingAE == "" {
		who.RequestingAE = r.URL.Query().Get("requester")
	}
	if who.RequestingAE == "" {
		who.RequestingAE = "ANONYMOUS" // the event needs one, HTTP has none
	}
	if !validAE(who.RequestingAE) {
		return errAE()
	}
	warning, err := c.Worklist.RequestCancel(r.Context(), c.id, who)
	if err != nil {
		return c.fail(err)
	}
	c.warn(warning)
	w.Header().Set("Content-Location", c.url(c.id))
	return c.done(http.StatusAccepted)
}

// Search answers GET /workitems (11.9): 200, 206 where more remain than the answer holds, 204 where nothing matches.
func (s *Service) Search(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	c, err := s.begin(w, r)
	if err != nil {
		return err
	}
	form, err := choose(r, true)
	if err != nil {
		return err
	}
	q, warnings, err := query.Parse(r.URL.RawQuery, query.Instance, dicomweb.Ref{})
	if err != nil {
		return err
	}
	if q.Limit == 0 || q.Limit > s.cfg.MaxResults {
		q.Limit = s.cfg.MaxResults
	}
	found, remaining, err := c.Find(r.Context(), q)
	if err != nil {
		return err
	}
	for _, text := range warnings {
		w.Header().Add("Warning", "299 "+c.base+" "+strconv.Quote(text))
	}
	if remaining > 0 { // PS3.18 section 8.3.4.4.1
		w.Header().Add("Warning", "299 "+c.base+" "+strconv.Quote(fmt.Sprintf("There are %d additional results that can be requested", remaining)))
	}
	status := http.StatusOK
	switch {
	case len(found) == 0:
		w.WriteHeader(http.StatusNoContent)
		return nil
	case remaining > 0:
		status = http.StatusPartialContent
	}
	return c.answers(status, form, found, func(id string) ([]byte, error) {
		ds, err := c.Answer(r.Context(), q, id)
		if err != nil || ds == nil {
			return nil, err
		}
		return c.document(form, ds)
	})
}
