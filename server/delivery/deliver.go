package delivery

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/archive"
	"mome/dicomweb/client"
)

// deliver makes one attempt and returns how many instances the other side took.
func (o *Outbox) deliver(ctx context.Context, t Target, item Item) (int, error) {
	if t.Kind == Webhook {
		return 0, o.call(ctx, t, item)
	}
	all, err := o.cfg.Archive.Instances(ctx, dicomweb.Ref{Study: item.Study})
	if err != nil {
		return 0, fmt.Errorf("list the study: %w", err)
	}
	root, header := credentials(t.URL)
	remote, err := client.New(client.Config{URL: root, HTTP: o.cfg.HTTP, Header: header, Attempts: 1})
	if err != nil {
		return 0, err
	}
	stored := 0
	if t.Sources {
		sources := slices.DeleteFunc(slices.Clone(all), func(i archive.Instance) bool { return i.Result })
		n, err := o.store(ctx, remote, item.Study, sources)
		if stored += n; err != nil {
			return stored, err
		}
	}
	// Results go one by one: what an object refers to arrives before it.
	for _, ref := range item.Objects {
		at := slices.IndexFunc(all, func(i archive.Instance) bool { return i.Ref == ref })
		if at < 0 {
			continue // deleted since
		}
		n, err := o.store(ctx, remote, item.Study, all[at:at+1])
		if stored += n; err != nil {
			return stored, err
		}
	}
	return stored, nil
}

// credentials takes user and password out of a URL.
func credentials(raw string) (root string, header http.Header) {
	header = http.Header{}
	u, err := url.Parse(raw)
	if err != nil || u.User == nil {
		return raw, header
	}
	password, _ := u.User.Password()
	r := http.Request{Header: header}
	r.SetBasicAuth(u.User.Username(), password)
	u.User = nil
	return u.String(), header
}

// store sends instances as they are stored. An instance that the other side refuses is an error; that it has it already is
// not.
func (o *Outbox) store(ctx context.Context, remote *client.Client, study string, instances []archive.Instance) (int, error) {
	report, err := remote.Store(ctx, o.sources(ctx, instances), client.StoreOptions{Study: study})
	if err != nil {
		return report.Stored, err
	}
	if n := len(report.Failures); n > 0 {
		return report.Stored, fmt.Errorf("%d of %d instances were refused, the first: %s", n, len(instances), report.Failures[0])
	}
	return report.Stored, nil
}

func (o *Outbox) sources(ctx context.Context, instances []archive.Instance) iter.Seq2[client.Source, error] {
	return func(yield func(client.Source, error) bool) {
		for _, i := range instances {
			if !yield(client.Source{Name: i.Ref.Path(), Size: -1, Open: func() (io.ReadCloser, error) {
				object, err := o.cfg.Archive.Open(ctx, i)
				if err != nil {
					return nil, err
				}
				return body{io.NewSectionReader(object, 0, object.Size()), object}, nil
			}}, nil) {
				return
			}
		}
	}
}

type body struct {
	io.Reader
	io.Closer
}

// Notice is what a webhook is sent as JSON.
type Notice struct {
	Event    string         `json:"event"` // "analysis.finished"
	Study    string         `json:"study_instance_uid"`
	Revision int64          `json:"revision"`
	Outcome  string         `json:"outcome"`
	Page     string         `json:"page,omitempty"`
	Findings string         `json:"findings,omitempty"`
	Results  []NoticeObject `json:"results"`
	Software string         `json:"software"`
	Notice   string         `json:"notice"`
}

// NoticeObject is one stored result.
type NoticeObject struct {
	Series   string `json:"series_instance_uid"`
	Instance string `json:"sop_instance_uid"`
}

// mostAnswer bounds what is read of a webhook's answer.
const mostAnswer = 1 << 10

// callLimit is how long a webhook may take: what is told is little, and whoever wants to think about it can answer first.
const callLimit = 30 * time.Second

// call tells a webhook. An answer of 200 to 299 means that it was heard.
func (o *Outbox) call(ctx context.Context, t Target, item Item) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	page, findings := o.cfg.Link(item.Study)
	notice := Notice{Event: "analysis.finished", Study: item.Study, Revision: item.Revision, Outcome: item.Outcome,
		Page: page, Findings: findings, Results: []NoticeObject{}, Software: "MOME node " + o.cfg.Version,
		Notice: "INVESTIGATIONAL SOFTWARE - NOT FOR CLINICAL USE"}
	for _, ref := range item.Objects {
		notice.Results = append(notice.Results, NoticeObject{ref.Series, ref.Instance})
	}
	text, err := json.Marshal(notice)
	if err != nil {
		return err
	}
	root, header := credentials(t.URL)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, root, bytes.NewReader(text))
	if err != nil {
		return errors.New("the webhook's URL cannot be used")
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	if o.cfg.Secret != "" {
		mac := hmac.New(sha256.New, []byte(o.cfg.Secret))
		mac.Write(text)
		req.Header.Set("X-Mome-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	resp, err := o.cfg.HTTP.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // its text holds the URL with its query
		}
		return fmt.Errorf("call the webhook: %w", err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook answered %s %.100s", resp.Status, strings.Join(strings.Fields(string(answer)), " "))
	}
	return nil
}
