#ifndef STARTUP_PAGES_H
#define STARTUP_PAGES_H

/// Gives back the pages of code that were mapped while the process started; what is still needed is mapped again from the page cache
/// when it is next used. Only read-only, executable segments are touched: they are never written, so nothing can be lost.
void startup_pages_release(void);

#endif
