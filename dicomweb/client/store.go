package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"mome/dicomweb"
	"mome/dicomweb/mediatype"
	"mome/dicomweb/related"
)

// StoreOptions qualifies Store.
type StoreOptions struct {
	Study    string         // when set, the server refuses instances of other studies
	Progress func(Progress) // called after each file, never by two goroutines at once
}

// Progress is how far a Store is.
type Progress struct {
	Name                    string // the file that was just dealt with
	Stored, Failed, Skipped int    // files
	Bytes                   int64  // of the files stored
}

// Report is what became of the files.
type Report struct {
	Stored   int       // including those with a warning
	Bytes    int64     // of the files stored
	Studies  []string  // their UIDs, as far as the server named them
	Skipped  []string  // names of files that are no DICOM files: they were not sent
	Warnings []Problem // stored, but not quite as sent
	Failures []Problem
}

// Problem is what the server, or reading the file, has against one file.
type Problem struct {
	Name   string
	Reason dicomweb.FailureReason // 0 when none was told
	Text   string
}

func (p Problem) String() string {
	if p.Reason == 0 {
		return p.Name + ": " + p.Text
	}
	return fmt.Sprintf("%s: %s (%04XH)", p.Name, p.Text, uint16(p.Reason))
}

// Store sends the files, each in a request of its own, several at once (PS3.18 section 10.5). What becomes of each
// file is in the report; the error means that the whole was given up: the sources ended with an error, ctx ended, the
// server wants none of it (no such resource, no permission, another service), or it cannot be reached.
func (c *Client) Store(ctx context.Context, sources iter.Seq2[Source, error], opt StoreOptions) (Report, error) {
	t := &tally{progress: opt.Progress}
	resource := "studies"
	if opt.Study != "" {
		resource = dicomweb.Ref{Study: opt.Study}.Path()
	}
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(c.cfg.Parallel)
	for s, err := range sources {
		if running.Err() != nil {
			break
		}
		if err != nil {
			group.Go(func() error { return fmt.Errorf("client: list the files to be stored: %w", err) })
			break
		}
		group.Go(func() error { return c.storeOne(running, resource, s, t) })
	}
	err := group.Wait()
	if err == nil {
		err = ctx.Err()
	}
	return t.end(), err
}

// storeOne sends one file. Its error ends the whole.
func (c *Client) storeOne(ctx context.Context, resource string, s Source, t *tally) error {
	var got outcome
	err := c.retry(ctx, func() (err error) {
		got, err = c.post(ctx, resource, s)
		return err
	})
	var status *StatusError
	switch {
	case err == nil:
		t.add(s, got)
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &status) && hopeless(status.Status):
		return fmt.Errorf("client: store: %w", err)
	case errors.As(err, &status) && got.failure != nil: // it had a reason, and had it to the end
		t.add(s, got)
		return nil
	case !errors.As(err, &status): // no answer at all, to the end: the next file will fare no better
		return fmt.Errorf("client: store: %w", err)
	}
	t.add(s, outcome{failure: &Problem{Name: s.Name, Text: err.Error()}})
	return nil
}

// hopeless reports whether the status means that the next file will fare no better.
func hopeless(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusNotAcceptable, http.StatusNotImplemented:
		return true
	}
	return false
}

// outcome is what became of one file; its zero value is plain success.
type outcome struct {
	study            string
	skipped          bool
	failure, warning *Problem
}

// post sends one file once.
func (c *Client) post(ctx context.Context, resource string, s Source) (outcome, error) {
	f, err := s.Open()
	if err != nil {
		return outcome{failure: &Problem{Name: s.Name, Text: "cannot be opened: " + err.Error()}}, nil
	}
	defer f.Close()
	head := make([]byte, 132)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return outcome{failure: &Problem{Name: s.Name, Text: "cannot be read: " + err.Error()}}, nil
	}
	if !looksDICOM(head[:n]) {
		return outcome{skipped: true}, nil
	}
	var frame bytes.Buffer // the multipart message around the file
	mw := related.NewWriter(&frame)
	part := related.Header{Type: mediatype.New(mediatype.DICOM)}
	if _, err := mw.Part(part); err != nil {
		return outcome{}, err
	}
	before := frame.Len()
	if err := mw.Close(); err != nil {
		return outcome{}, err
	}
	text := frame.Bytes()
	file := &watched{r: f}
	body := io.MultiReader(bytes.NewReader(text[:before]), bytes.NewReader(head[:n]), file, bytes.NewReader(text[before:]))
	req, err := c.request(ctx, http.MethodPost, resource, "", body)
	if err != nil {
		return outcome{}, err
	}
	if s.Size >= 0 {
		req.ContentLength = int64(len(text)) + s.Size
	}
	req.Header.Set("Content-Type", mw.ContentType(part.Type))
	req.Header.Set("Accept", mediatype.DICOMJSON)
	resp, err := c.cfg.HTTP.Do(req)
	if err != nil {
		if file.err != nil {
			return outcome{failure: &Problem{Name: s.Name, Text: "cannot be read: " + file.err.Error()}}, nil
		}
		return outcome{}, err
	}
	defer resp.Body.Close()
	return read(resp, resource, s.Name)
}

// watched remembers the error of a file, to tell it from one of the connection.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// maxResponse bounds a Store Instances Response for one instance.
const maxResponse = 1 << 20

// sequence is a sequence of the Store Instances Response in DICOM JSON, as far as it is looked at.
type sequence struct {
	Value []item
}

type item struct {
	Failure struct{ Value []dicomweb.FailureReason } `json:"00081197"`
	Warning struct{ Value []dicomweb.FailureReason } `json:"00081196"`
	Comment struct{ Value []string }                 `json:"00000902"`
	URL     struct{ Value []string }                 `json:"00081190"`
}

// read makes an outcome of the answer: PS3.18 section 10.5.3 and annex I. The outcome of a failure comes with the
// error when trying again may help.
func read(resp *http.Response, resource, name string) (outcome, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return outcome{}, fmt.Errorf("client: read the answer to %s: %w", name, err)
	}
	var r struct {
		Failed     sequence `json:"00081198"`
		Other      sequence `json:"0008119A"`
		Referenced sequence `json:"00081199"`
	}
	t, _ := mediatype.Parse(resp.Header.Get("Content-Type")) // a type that cannot be read is none
	told := (t.Name == mediatype.DICOMJSON || t.Name == mediatype.JSON) && json.Unmarshal(body, &r) == nil
	var got outcome
	if told {
		for _, failed := range slices.Concat(r.Failed.Value, r.Other.Value) {
			got.failure = problem(name, failed, failed.Failure.Value, "refused")
			break
		}
		for _, stored := range r.Referenced.Value {
			if len(stored.URL.Value) > 0 {
				got.study = studyIn(stored.URL.Value[0])
			}
			if len(stored.Warning.Value) > 0 {
				got.warning = problem(name, stored, stored.Warning.Value, "stored with a warning")
			}
		}
	}
	if resp.StatusCode/100 == 2 {
		return got, nil
	}
	status := newStatusError(resp, resource, body)
	if got.failure != nil && !status.Temporary() {
		return got, nil
	}
	return got, status
}

func problem(name string, i item, reasons []dicomweb.FailureReason, text string) *Problem {
	p := &Problem{Name: name, Text: text}
	if len(reasons) > 0 {
		p.Reason = reasons[0]
	}
	if len(i.Comment.Value) > 0 && i.Comment.Value[0] != "" {
		p.Text = i.Comment.Value[0]
	}
	return p
}

// studyIn returns the study UID of a Retrieve URL, "" when it has none.
func studyIn(url string) string {
	_, rest, _ := strings.Cut(url, "/studies/")
	study, _, _ := strings.Cut(rest, "/")
	return study
}

// tally gathers outcomes.
type tally struct {
	mu       sync.Mutex
	progress func(Progress)
	report   Report
}

func (t *tally) add(s Source, got outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.report
	switch {
	case got.skipped:
		r.Skipped = append(r.Skipped, s.Name)
	case got.failure != nil:
		r.Failures = append(r.Failures, *got.failure)
	default:
		r.Stored++
		r.Bytes += max(s.Size, 0)
		if got.warning != nil {
			r.Warnings = append(r.Warnings, *got.warning)
		}
		if got.study != "" && !slices.Contains(r.Studies, got.study) {
			r.Studies = append(r.Studies, got.study)
		}
	}
	if t.progress != nil {
		t.progress(Progress{Name: s.Name, Stored: r.Stored, Failed: len(r.Failures), Skipped: len(r.Skipped), Bytes: r.Bytes})
	}
}

// end returns the report in an order that does not depend on which upload was faster.
func (t *tally) end() Report {
	r := t.report
	slices.Sort(r.Studies)
	slices.Sort(r.Skipped)
	byName := func(a, b Problem) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(r.Warnings, byName)
	slices.SortFunc(r.Failures, byName)
	return r
}
