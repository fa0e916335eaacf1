// Pressing the button would use the link up for nothing.
document.getElementById("insecure").hidden = window.isSecureContext;
document.querySelector("button").disabled = !window.isSecureContext;
