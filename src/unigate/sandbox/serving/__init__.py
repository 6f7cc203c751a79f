"""HTTP, pacing, faults and the log of the sandbox. It knows faces by their seam only, never a vendor's name."""
