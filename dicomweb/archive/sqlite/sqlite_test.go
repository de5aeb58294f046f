package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"mome/dicomweb/archive"
	"mome/dicomweb/archive/archivetest"
	"mome/dicomweb/archive/sqlite"
)

func TestIndex(t *testing.T) {
	archivetest.RunIndex(t, func(t *testing.T) archive.Index {
		x, fresh, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "index.db"))
		if err != nil || !fresh {
			t.Fatalf("open: fresh %v, %v", fresh, err)
		}
		return x
	})
}
