document.getElementById("insecure").hidden = window.isSecureContext;
