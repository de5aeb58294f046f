package access

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Audit writes the audit trail: a line of JSON for each event, its members named as the elements of the message schema
// of PS3.15 section A.5. The trail has Study Instance UIDs and no other data of patients: no name, no text of a query, and
// not the patient ID that A.5.3.6 and A.5.3.7 ask for, which a study's UID leads to. A log shipper can turn a line into the schema's XML or a FHIR
// AuditEvent. It is safe for concurrent use; a nil Audit writes nothing.
type Audit struct {
	source string
	path   string // "" for a writer that is not a file
	now    func() time.Time
	log    *slog.Logger

	mu   sync.Mutex
	w    io.Writer
	file *os.File // of path
	torn bool     // the last line could be written in part alone
}

// AuditConfig tells where the trail goes.
type AuditConfig struct {
	Path   string    // of a file that lines are appended to; one that was renamed or removed meanwhile is made anew
	Writer io.Writer // where there is no Path
	Source string    // AuditSourceID, what the node calls itself
	Now    func() time.Time
	Log    *slog.Logger // told when a line cannot be written
}

// NewAudit opens the file.
func NewAudit(cfg AuditConfig) (*Audit, error) {
	a := &Audit{source: cfg.Source, path: cfg.Path, now: cfg.Now, log: cfg.Log, w: cfg.Writer}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.path != "" {
		if err := a.reopen(); err != nil {
			return nil, fmt.Errorf("access: open the audit trail: %w", err)
		}
	}
	return a, nil
}

// Close closes the file.
func (a *Audit) Close() error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil
	}
	return a.file.Close()
}

// Code is a coded value: DCM codes of PS3.16 CID 400 to 404.
type Code struct {
	Value   string `json:"csd-code"`
	Scheme  string `json:"codeSystemName"`
	Meaning string `json:"originalText"`
}

func dcm(value, meaning string) Code { return Code{value, "DCM", meaning} }

// Action is an EventActionCode.
type Action string

// Actions.
const (
	Create  Action = "C"
	Reading Action = "R"
	Update  Action = "U"
	Removal Action = "D"
	Execute Action = "E"
)

// Kind is what an event is: EventID, EventActionCode and, where it has one, EventTypeCode.
type Kind struct {
	ID     Code
	Action Action
	Type   *Code
}

// The kinds of event are those of PS3.15 section A.5.3.

func started() Kind { return activity("110120", "Application Start") }
func stopped() Kind { return activity("110121", "Application Stop") }

// Query is a search, or a list of studies.
func Query() Kind { return Kind{ID: dcm("110112", "Query"), Action: Execute} }

// Stored is the arrival of instances.
func Stored() Kind { return Kind{ID: dcm("110104", "DICOM Instances Transferred"), Action: Create} }

// Retrieved is the departure of instances.
func Retrieved() Kind {
	return Kind{ID: dcm("110104", "DICOM Instances Transferred"), Action: Reading}
}

// StudyDeleted is the deletion of a whole study; that of a part is Accessed.
func StudyDeleted() Kind { return Kind{ID: dcm("110105", "DICOM Study Deleted"), Action: Removal} }

// Accessed is the use of instances: viewed, updated or deleted in part.
func Accessed(a Action) Kind { return Kind{ID: dcm("110103", "DICOM Instances Accessed"), Action: a} }

// Procedure is the use of a workitem.
func Procedure(a Action) Kind { return Kind{ID: dcm("110111", "Procedure Record"), Action: a} }

// LoginFailed is a request whose credentials are not known.
func LoginFailed() Kind {
	t := dcm("110122", "Login")
	return Kind{ID: dcm("110114", "User Authentication"), Action: Execute, Type: &t}
}

// Refused is a request that the peer's scopes do not allow.
func Refused() Kind {
	t := dcm("110132", "Use of Restricted Function")
	return Kind{ID: dcm("110113", "Security Alert"), Action: Execute, Type: &t}
}

func activity(code, meaning string) Kind {
	t := dcm(code, meaning)
	return Kind{ID: dcm("110100", "Application Activity"), Action: Execute, Type: &t}
}

// Event is one line of the trail.
type Event struct {
	Kind    Kind
	Status  int      // of the HTTP answer, from which the outcome follows; 0 is success
	Peer    string   // name of the token, certificate or subject; "" for nobody known
	Address string   // of the client
	Studies []string // Study Instance UIDs
	Process string   // what the node did, such as "GET /dicom-web/studies/{study}"
}

// Started writes that the node began.
func (a *Audit) Started() { a.Write(Event{Kind: started()}) }

// Stopped writes that the node ended.
func (a *Audit) Stopped() { a.Write(Event{Kind: stopped()}) }

// line is an AuditMessage.
type line struct {
	Event struct {
		ID      Code      `json:"EventID"`
		Action  Action    `json:"EventActionCode"`
		Time    time.Time `json:"EventDateTime"`
		Outcome int       `json:"EventOutcomeIndicator"`
		Text    string    `json:"EventOutcomeDescription,omitempty"`
		Types   []Code    `json:"EventTypeCode,omitempty"`
	} `json:"EventIdentification"`
	Participants []participant `json:"ActiveParticipant"`
	Source       struct {
		ID string `json:"AuditSourceID"`
	} `json:"AuditSourceIdentification"`
	Objects []object `json:"ParticipantObjectIdentification,omitempty"`
}

type participant struct {
	UserID      string `json:"UserID"`
	Requestor   bool   `json:"UserIsRequestor"`
	Role        *Code  `json:"RoleIDCode,omitempty"`
	AccessPoint string `json:"NetworkAccessPointID,omitempty"`
	// AccessPointType is 2, an IP address.
	AccessPointType int    `json:"NetworkAccessPointTypeCode,omitempty"`
	Process         string `json:"AlternativeUserID,omitempty"`
}

type object struct {
	ID     string `json:"ParticipantObjectID"`
	Type   int    `json:"ParticipantObjectTypeCode"`     // 2, a system object
	Role   int    `json:"ParticipantObjectTypeCodeRole"` // 3, a report, as PS3.15 has it for studies
	IDType Code   `json:"ParticipantObjectIDTypeCode"`
}

// outcome returns the EventOutcomeIndicator: 0 success, 4 a minor failure such as a refusal, 8 a serious one.
func outcome(status int) int {
	switch {
	case status >= 500:
		return 8
	case status >= 400:
		return 4
	}
	return 0
}

// Write appends an event. That it cannot be written is told to the log; the request goes on.
func (a *Audit) Write(e Event) {
	if a == nil {
		return
	}
	var l line
	l.Event.ID, l.Event.Action, l.Event.Time, l.Event.Outcome = e.Kind.ID, e.Kind.Action, a.now().UTC(), outcome(e.Status)
	if e.Status != 0 {
		l.Event.Text = fmt.Sprintf("HTTP %d", e.Status)
	}
	if e.Kind.Type != nil {
		l.Event.Types = []Code{*e.Kind.Type}
	}
	l.Source.ID = a.source
	application := dcm("110150", "Application")
	node := participant{UserID: a.source, Role: &application, Process: e.Process, Requestor: e.Address == ""}
	l.Participants = []participant{node}
	if e.Address != "" {
		peer := participant{UserID: e.Peer, Requestor: true, AccessPoint: e.Address, AccessPointType: 2}
		if peer.UserID == "" {
			peer.UserID = "anonymous"
		}
		l.Participants = []participant{peer, node}
	}
	for _, uid := range e.Studies {
		l.Objects = append(l.Objects, object{uid, 2, 3, dcm("110180", "Study Instance UID")})
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(l); err != nil {
		a.log.Error("write the audit trail", "error", err)
		return
	}
	if err := a.append(b.Bytes()); err != nil {
		a.log.Error("write the audit trail", "error", err)
	}
}

// append writes lines, each whole but where the disk is full: the next one begins a line of its own.
func (a *Audit) append(b []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.path != "" {
		if err := a.reopen(); err != nil {
			return err
		}
	}
	if a.torn {
		b = append([]byte("\n"), b...)
	}
	n, err := a.w.Write(b)
	a.torn = n < len(b) && (a.torn || n > 0)
	return err
}

// reopen opens the file of path unless it is the one that is open: rotating it is the system's business.
func (a *Audit) reopen() error {
	if a.file != nil {
		have, err := a.file.Stat()
		if there, err2 := os.Stat(a.path); err == nil && err2 == nil && os.SameFile(have, there) {
			return nil
		}
		a.file.Close()
	}
	f, err := os.OpenFile(a.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		a.file = nil
		return err
	}
	a.file, a.w, a.torn = f, f, false
	return nil
}
