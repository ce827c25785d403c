// First of all, so that the page is never drawn in its scriptless form when scripts do run.
document.documentElement.classList.add("scripted");
