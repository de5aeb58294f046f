package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
)

type reindexCommand struct {
	Data string `default:"data" type:"existingdir" help:"Folder of the archive."`
}

// Help is the longer text of "server reindex --help".
func (reindexCommand) Help() string {
	return `Reads every stored file again and replaces the index by what it finds. The node may keep serving from another process only if
it is stopped first: one process at a time holds an archive.`
}

// Run rebuilds the index.
func (c *reindexCommand) Run(ctx context.Context, log *slog.Logger) error {
	a, err := openArchive(ctx, nodeFlags{Data: c.Data}, log, nil)
	if err != nil {
		return err
	}
	defer a.Close()
	line, indexed := newProgressLine(os.Stderr), 0
	err = a.Reindex(ctx, func(done, total int) {
		indexed = done
		line.show("reindex", float64(done)/float64(max(total, 1)), fmt.Sprintf("%d of %d files", done, total))
	})
	line.end()
	if err != nil {
		return err
	}
	fmt.Printf("indexed %d files of %s\n", indexed, c.Data)
	return a.Close()
}
