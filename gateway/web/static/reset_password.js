// The token stands behind the # of the address, which browsers send to nobody; it leaves the history at once.
const token = decodeURIComponent(location.hash.slice(1));
history.replaceState(null, "", location.pathname);
const form = document.getElementById("reset-password");
const outcome = document.getElementById("outcome");
if (!token) {
  // Nobody types a password for nothing.
  form.hidden = true;
  outcome.textContent = "This link is not whole: open the one of the mail, or ask for another.";
}
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch("/api/v1/auth/password/reset", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, new_password: form.elements.password.value }),
    });
    if (answer.ok) {
      form.hidden = true;
      outcome.textContent = "The new password is set. Sign in with it.";
      return;
    }
    const { error } = await answer.json();
    const detail = Array.isArray(error.details) && error.details[0] ? error.details[0].msg : "";
    outcome.textContent = detail.replace(/^Value error, /, "") || error.message;
  } catch {
    outcome.textContent = "The server does not answer. Try again.";
  }
  button.disabled = false;
});
