package vm

// fuse returns the steps of a code for a device.
func fuse(c *code) []step { return c.steps }
