package access_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mome/server/access"
)

func TestAuditFile(t *testing.T) {
	file, at := filepath.Join(t.TempDir(), "audit"), newClock()
	open := func() *access.Audit {
		a, err := access.NewAudit(access.AuditConfig{Path: file, Source: "node", Now: at.now})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := open()
	a.Started()
	a.Write(access.Event{Kind: access.Query(), Status: 200, Peer: "alice", Address: "192.0.2.1"})
	if err := os.Rename(file, file+".1"); err != nil { // as logrotate does
		t.Fatal(err)
	}
	a.Write(access.Event{Kind: access.Stored(), Status: 503, Peer: "scanner", Address: "192.0.2.2", Studies: []string{"1.2.3", "1.2.4"}})
	a.Stopped()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = open()
	a.Started()
	a.Close()
	for name, want := range map[string][]string{
		file + ".1": {
			`{"EventIdentification":{"EventID":{"csd-code":"110100","codeSystemName":"DCM","originalText":"Application Activity"},"EventActionCode":"E","EventDateTime":"2026-01-02T03:04:05Z","EventOutcomeIndicator":0,"EventTypeCode":[{"csd-code":"110120","codeSystemName":"DCM","originalText":"Application Start"}]},"ActiveParticipant":[{"UserID":"node","UserIsRequestor":true,"RoleIDCode":{"csd-code":"110150","codeSystemName":"DCM","originalText":"Application"}}],"AuditSourceIdentification":{"AuditSourceID":"node"}}`,
			`"csd-code":"110112"`,
		},
		file: {`"EventOutcomeIndicator":8,"EventOutcomeDescription":"HTTP 503"`, `"110121"`, `"110120"`},
	} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		if len(lines) != len(want) {
			t.Errorf("%s has %d lines, want %d:\n%s", filepath.Base(name), len(lines), len(want), b)
			continue
		}
		for i := range want {
			if !strings.Contains(lines[i], want[i]) {
				t.Errorf("%s, line %d: %s\nwant %s", filepath.Base(name), i, lines[i], want[i])
			}
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others can read it: %v, %v", info.Mode(), err)
	}
}

// TestAuditAfterAFullDisk: a line that could be written in part alone does not take the next one along.
func TestAuditAfterAFullDisk(t *testing.T) {
	disk := &disk{room: 700}
	a, err := access.NewAudit(access.AuditConfig{Writer: disk, Source: "node"})
	if err != nil {
		t.Fatal(err)
	}
	a.Started()
	a.Started() // half of it
	a.Started() // nothing
	disk.room = 10_000
	a.Started()
	a.Stopped()
	lines := strings.Split(strings.TrimSpace(disk.String()), "\n")
	whole := 0
	for _, line := range lines {
		if json.Valid([]byte(line)) {
			whole++
		}
	}
	if len(lines) != 4 || whole != 3 {
		t.Errorf("%d lines, of which %d are whole, want 4 and 3:\n%s", len(lines), whole, disk.String())
	}
}

// disk takes what it has room for.
type disk struct {
	strings.Builder
	room int
}

func (d *disk) Write(b []byte) (int, error) {
	n := min(d.room, len(b))
	d.room -= n
	d.Builder.Write(b[:n])
	if n < len(b) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func TestNoAudit(t *testing.T) {
	var a *access.Audit
	a.Started()
	a.Write(access.Event{})
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
