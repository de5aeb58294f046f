package delivery_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mome/dicomweb/archive"
	"mome/dicomweb/dicom"
	"mome/dicomweb/dicom/tag"
	"mome/dicomweb/dicom/uid"
	"mome/server/delivery"
)

const study = "1.2.826.0.1.3680043.10.1"

// archived is an archive with two source instances and two results, SEG before SR.
func archived(t *testing.T) (*archive.Archive, delivery.Item) {
	t.Helper()
	a, err := archive.Open(t.Context(), archive.Config{Dir: t.TempDir(), IsSource: func(d *dicom.Dataset) bool { return d.String(tag.Modality) == "MR" }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	item := delivery.Item{Study: study, Revision: 1, Outcome: "with findings"}
	for n, modality := range []string{"MR", "MR", "SEG", "SR"} {
		d := dicom.New()
		d.Set(tag.SOPClassUID, "1.2.840.10008.5.1.4.1.1.4")
		d.Set(tag.SOPInstanceUID, study+".9."+string(rune('1'+n)))
		d.Set(tag.StudyInstanceUID, study)
		d.Set(tag.SeriesInstanceUID, study+".8."+string(rune(49+n)))
		d.Set(tag.Modality, modality)
		d.Set(tag.PatientName, "Secret^Name")
		var b bytes.Buffer
		if err := dicom.Write(&b, d, uid.ExplicitVRLittleEndian); err != nil {
			t.Fatal(err)
		}
		receipt, err := a.Put(t.Context(), &b, archive.PutOptions{Result: modality != "MR"})
		if err != nil {
			t.Fatal(err)
		}
		if modality != "MR" {
			item.Objects = append(item.Objects, receipt.Ref)
		}
	}
	return a, item
}

// peer is a PACS or program: it fails the first requests and notes what it took.
type peer struct {
	*httptest.Server
	mu     sync.Mutex
	fail   int // requests to fail with 503
	bodies []string
	heads  []http.Header
}

func newPeer(t *testing.T, fail int) *peer {
	t.Helper()
	p := &peer{fail: fail}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.fail > 0 {
			p.fail--
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		p.bodies, p.heads = append(p.bodies, string(b)), append(p.heads, r.Header.Clone())
		w.Header().Set("Content-Type", "application/dicom+json")
		io.WriteString(w, "{}")
	}))
	t.Cleanup(p.Close)
	return p
}

// took returns the SOP Instance UIDs' last digits that arrived, in order.
func (p *peer) took() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, b := range p.bodies {
		if _, rest, ok := strings.Cut(b, study+".9."); ok {
			out = append(out, rest[:1])
		}
	}
	return strings.Join(out, "")
}

// outbox starts one whose pauses are none, and returns what it tells.
func outbox(t *testing.T, cfg delivery.Config) (*delivery.Outbox, <-chan delivery.Status) {
	t.Helper()
	told := make(chan delivery.Status, 100)
	cfg.OnAttempt = func(s delivery.Status) { told <- s }
	cfg.Alarm = func(time.Time) <-chan time.Time { c := make(chan time.Time); close(c); return c }
	cfg.Backoff = func(int) time.Duration { return 0 }
	o, err := delivery.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Stop(t.Context()) })
	return o, told
}

// until waits for a state.
func until(t *testing.T, told <-chan delivery.Status, state delivery.State) delivery.Status {
	t.Helper()
	for {
		select {
		case s := <-told:
			if s.State == state {
				return s
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no delivery became %s", state)
		}
	}
}

func TestForward(t *testing.T) {
	for _, tc := range []struct {
		name    string
		sources bool
		fail    int
		want    string // instances in order; sources travel side by side
	}{
		{"results", false, 0, "34"},
		{"after two failures", false, 2, "34"},
		{"sources first", true, 0, "1234"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, item := archived(t)
			p := newPeer(t, tc.fail)
			url := strings.Replace(p.URL, "http://", "http://user:pa%20ss@", 1) + "/dicom-web"
			o, told := outbox(t, delivery.Config{Archive: a, Targets: []delivery.Target{{Kind: delivery.STOW, URL: url, Sources: tc.sources}}})
			if err := o.Enqueue(t.Context(), item); err != nil {
				t.Fatal(err)
			}
			s := until(t, told, delivery.Delivered)
			got := []byte(p.took())
			if tc.sources {
				slices.Sort(got[:2])
			}
			if string(got) != tc.want || s.Stored != len(tc.want) || s.Attempts != tc.fail+1 {
				t.Errorf("took %s with status %+v, want %s after %d attempts", got, s, tc.want, tc.fail+1)
			}
			if strings.Contains(s.Target, "user") || strings.Contains(s.Target, "pa") && strings.Contains(s.Target, "ss@") {
				t.Errorf("target %q tells the password", s.Target)
			}
			if user, password, ok := (&http.Request{Header: p.heads[0]}).BasicAuth(); !ok || user != "user" || password != "pa ss" {
				t.Errorf("authorization %q %q", user, password)
			}
			if err := o.Enqueue(t.Context(), item); err != nil { // again: nothing new
				t.Fatal(err)
			}
			if of, err := o.Of(t.Context(), study); err != nil || len(of) != 1 || of[0].State != delivery.Delivered {
				t.Errorf("%+v, %v", of, err)
			}
		})
	}
}

func TestGivesUpAndStartsAgain(t *testing.T) {
	a, item := archived(t)
	p := newPeer(t, 3)
	cfg := delivery.Config{Archive: a, Attempts: 3, Targets: []delivery.Target{{Kind: delivery.STOW, URL: p.URL}}}
	o, told := outbox(t, cfg)
	if err := o.Enqueue(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	if s := until(t, told, delivery.Failed); s.Attempts != 3 || !strings.Contains(s.Reason, "503") {
		t.Errorf("%+v, want three attempts and 503 for a reason", s)
	}
	if err := o.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, told = outbox(t, cfg)
	if s := until(t, told, delivery.Delivered); s.Attempts != 1 {
		t.Errorf("%+v, want one attempt after the restart", s)
	}
}

// TestNewerRevision: what came of a later analysis takes the place of an earlier one that waits.
func TestNewerRevision(t *testing.T) {
	a, item := archived(t)
	p := newPeer(t, 1)
	hold := make(chan time.Time)
	told := make(chan delivery.Status, 10)
	o, err := delivery.New(delivery.Config{Archive: a, Targets: []delivery.Target{{Kind: delivery.STOW, URL: p.URL}},
		Alarm: func(time.Time) <-chan time.Time { return hold }, OnAttempt: func(s delivery.Status) { told <- s }})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Stop(t.Context())
	if err := o.Enqueue(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	until(t, told, delivery.Pending)
	later := item
	later.Revision, later.Objects = 2, item.Objects[1:]
	if err := o.Enqueue(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	if s := until(t, told, delivery.Delivered); s.Revision != 2 || p.took() != "4" {
		t.Errorf("%+v, took %s, want the SR of revision 2 alone", s, p.took())
	}
	if err := o.Enqueue(t.Context(), item); err != nil { // late and old
		t.Fatal(err)
	}
	again := later
	again.Objects = item.Objects // of another model
	if err := o.Enqueue(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if until(t, told, delivery.Delivered); p.took() != "434" {
		t.Errorf("took %s, want both results of the other model after it", p.took())
	}
}

func TestWebhook(t *testing.T) {
	a, item := archived(t)
	p := newPeer(t, 1)
	o, told := outbox(t, delivery.Config{Archive: a, Secret: "between us", Version: "1.2",
		Link: func(s string) (string, string) {
			return "http://node/study/" + s, "http://node/study/" + s + "/findings.json"
		},
		Targets: []delivery.Target{{Kind: delivery.Webhook, URL: p.URL + "/hook?token=abc"}}})
	if err := o.Enqueue(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	s := until(t, told, delivery.Delivered)
	if strings.Contains(s.Target, "abc") {
		t.Errorf("target %q tells the token", s.Target)
	}
	var n delivery.Notice
	if err := json.Unmarshal([]byte(p.bodies[0]), &n); err != nil {
		t.Fatal(err)
	}
	if n.Study != study || n.Outcome != "with findings" || len(n.Results) != 2 || n.Page != "http://node/study/"+study || n.Event != "analysis.finished" {
		t.Errorf("notice %+v", n)
	}
	mac := hmac.New(sha256.New, []byte("between us"))
	mac.Write([]byte(p.bodies[0]))
	if got, want := p.heads[0].Get("X-Mome-Signature"), "sha256="+hex.EncodeToString(mac.Sum(nil)); got != want {
		t.Errorf("signature %q, want %q", got, want)
	}
	if strings.Contains(p.bodies[0], "Secret") {
		t.Errorf("notice %s tells the patient's name", p.bodies[0])
	}
}

// TestLanes: a target that is away keeps nobody else waiting.
func TestLanes(t *testing.T) {
	a, item := archived(t)
	stuck := make(chan struct{})
	away := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		select {
		case <-stuck:
		case <-r.Context().Done():
		}
	}))
	defer away.Close()
	defer close(stuck)
	p := newPeer(t, 0)
	o, told := outbox(t, delivery.Config{Archive: a, Targets: []delivery.Target{{Kind: delivery.STOW, URL: away.URL}, {Kind: delivery.STOW, URL: p.URL}}})
	if err := o.Enqueue(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	if s := until(t, told, delivery.Delivered); s.Target != p.URL {
		t.Errorf("delivered to %s", s.Target)
	}
	if err := o.Stop(t.Context()); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

func TestRefuses(t *testing.T) {
	a, _ := archived(t)
	for name, cfg := range map[string]delivery.Config{
		"no archive":  {},
		"no URL":      {Archive: a, Targets: []delivery.Target{{Kind: delivery.STOW, URL: "pacs"}}},
		"kind":        {Archive: a, Targets: []delivery.Target{{Kind: "fax", URL: "http://pacs"}}},
		"twice":       {Archive: a, Targets: []delivery.Target{{Kind: delivery.STOW, URL: "http://a:b@pacs"}, {Kind: delivery.STOW, URL: "http://pacs"}}},
		"negative":    {Archive: a, Attempts: -1},
		"unreadable":  {Archive: a, Targets: []delivery.Target{{Kind: delivery.Webhook, URL: "http://se cret:pw@x\x7f"}}},
		"other proto": {Archive: a, Targets: []delivery.Target{{Kind: delivery.Webhook, URL: "ftp://host"}}},
	} {
		if _, err := delivery.New(cfg); err == nil || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
