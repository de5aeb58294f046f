//go:build !unix || solaris || aix

package disk

import "os"

// lock does nothing where the standard library has no advisory lock: the operator starts one node only.
func lock(*os.File) error { return nil }
