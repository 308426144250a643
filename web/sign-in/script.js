// Signing in, and one's own account. What the API says is shown as text, never as HTML.
const $ = (id) => document.getElementById(id);
const show = (id, is = true) => { $(id).hidden = !is; };

function tell(id, text) {
  show('problem', false);
  show('note', false);
  if (text) {
    $(id).textContent = text;
    show(id);
  }
}

class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || `the server answered ${status}`);
    this.status = status;
    this.code = problem.code;
  }
}

async function ask(method, path, body) {
  const headers = { 'X-Cordon-CSRF': '1' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const answer = await fetch(`/api/v1/${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  const said = text ? JSON.parse(text) : {};
  if (!answer.ok) throw new Refused(answer.status, said);
  return said;
}

// Does what a button or form asks for, and says what went wrong.
function on(id, event, act) {
  $(id).addEventListener(event, async (e) => {
    e.preventDefault();
    tell('problem');
    const buttons = [...document.querySelectorAll('button')];
    buttons.forEach((button) => { button.disabled = true; });
    try {
      await act(e.target);
    } catch (error) {
      const given_up = error.name === 'NotAllowedError';
      tell('problem', given_up ? 'Nothing was chosen, or it took too long: try again.' : error.message);
    } finally {
      buttons.forEach((button) => { button.disabled = false; });
    }
  });
}

const field = (form, name) => form.elements[name].value;

function item(list, text, button, act) {
  const li = document.createElement('li');
  li.append(text);
  if (act) {
    const b = document.createElement('button');
    b.textContent = button;
    b.addEventListener('click', async () => {
      try { await act(); await account(); } catch (error) { tell('problem', error.message); }
    });
    li.append(b);
  }
  $(list).append(li);
}

// Where somebody was who was sent here to sign in: a place of this server, and of no other.
// It is kept while they are away at a provider's page.
function wanted() {
  const given = new URLSearchParams(location.search).get('then');
  if (given) sessionStorage.setItem('then', given);
  const then = sessionStorage.getItem('then') ?? '';
  const url = new URL(then || '/', location.origin);
  return then.startsWith('/') && url.origin === location.origin ? url.href : undefined;
}

async function account(note) {
  const me = await ask('GET', 'me');
  const there = wanted();
  if (me.whole && !note && there) {
    sessionStorage.removeItem('then');
    location.replace(there);
    return;
  }
  ['in', 'link'].forEach((id) => show(id, false));
  show('account');
  $('who').textContent = me.name;
  const where = me.sites ? `, at ${me.sites.join(', ') || 'no site'}` : '';
  $('roles').textContent = `${me.roles.join(', ').replaceAll('_', ' ')}${where}`;
  show('half', !me.whole);
  show('present-label', me.keys.password);
  $('set-password').elements.username.value = me.name;
  const { second_factor: app, recovery_codes: codes } = me.keys;
  $('app-state').textContent = app ? `There is one, and ${codes} recovery codes are left.` : 'With a password, a code of an app is asked for.';
  $('begin-app').textContent = app ? 'Replace it' : 'Add an app';
  const ways = await ask('GET', 'sign-in');
  show('add-passkey', ways.passkey);
  show('no-passkeys', !ways.passkey);
  $('passkeys').replaceChildren();
  for (const key of await ask('GET', 'me/passkeys')) {
    item('passkeys', `${key.name}, since ${key.created_at.slice(0, 10)}`, 'Remove', () => ask('DELETE', `me/passkeys/${key.id}`));
  }
  $('sign-ins').replaceChildren();
  for (const one of await ask('GET', 'me/sign-ins')) {
    const text = `${one.means.replaceAll('_', ' ')}, ${one.address}, ${one.seen_at.slice(0, 16).replace('T', ' ')} UTC`;
    if (one.this) item('sign-ins', `${text} (here)`);
    else item('sign-ins', text, 'End', () => ask('DELETE', `me/sign-ins/${one.id}`));
  }
  if (note) tell('note', note);
}

async function front() {
  const ways = await ask('GET', 'sign-in');
  ['account', 'link'].forEach((id) => show(id, false));
  show('in');
  show('by-passkey', ways.passkey && !ways.first && 'PublicKeyCredential' in window);
  show('by-provider', Boolean(ways.provider));
  $('by-provider').textContent = `Sign in with ${ways.provider}`;
  show('no-operator', ways.first);
  show('with-password', !ways.first);
  if (!ways.passkey && !ways.provider) $('with-password').open = true;
}

on('by-passkey', 'click', async () => {
  const { publicKey } = await ask('POST', 'sign-in/passkey/begin');
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
  const credential = await navigator.credentials.get({ publicKey: options });
  await ask('POST', 'sign-in/passkey/end', credential.toJSON());
  await account();
});

on('by-password', 'submit', async (form) => {
  const code = field(form, 'code');
  const body = { name: field(form, 'name'), password: field(form, 'password') };
  if (code) body.code = code;
  try {
    await ask('POST', 'sign-in/password', body);
  } catch (error) {
    if (error.code === 'code_wanted') {
      show('code-label');
      form.elements.code.focus();
      tell('note', 'Now the code that your app shows.');
      return;
    }
    throw error;
  }
  form.reset();
  await account();
});

on('by-link', 'submit', async (form) => {
  const body = { link: location.hash.slice(1) };
  const name = field(form, 'name');
  if (name) body.name = name;
  await ask('POST', 'sign-in/link', body);
  // The link is used: it need not stay in the history.
  history.replaceState(null, '', '/sign-in');
  await account();
});

on('add-passkey', 'submit', async (form) => {
  const { publicKey } = await ask('POST', 'me/passkeys/begin');
  const options = PublicKeyCredential.parseCreationOptionsFromJSON(publicKey);
  const credential = await navigator.credentials.create({ publicKey: options });
  await ask('POST', 'me/passkeys', { name: field(form, 'name'), credential: credential.toJSON() });
  await account('The passkey is added: from now on you sign in with it.');
});

on('set-password', 'submit', async (form) => {
  const body = { password: field(form, 'password') };
  if (field(form, 'present')) body.present = field(form, 'present');
  await ask('PUT', 'me/password', body);
  form.reset();
  await account('The password is set.');
});

on('begin-app', 'click', async () => {
  const app = await ask('POST', 'me/second-factor');
  $('app-url').href = app.url;
  $('app-secret').textContent = app.secret;
  show('app');
});

on('confirm-app', 'submit', async (form) => {
  const { recovery_codes: codes } = await ask('POST', 'me/second-factor/confirm', { code: field(form, 'code') });
  show('app', false);
  form.reset();
  $('recovery-codes').textContent = codes.join('\n');
  show('recovery');
  await account('The app is added.');
});

on('sign-out', 'click', async () => {
  await ask('POST', 'sign-out');
  show('recovery', false);
  await front();
});

async function start() {
  wanted();
  const problem = new URLSearchParams(location.search).get('problem');
  try {
    if (location.hash.length > 1) {
      const leads = await ask('POST', 'sign-in/link/look', { link: location.hash.slice(1) });
      $('link-title').textContent = leads.first ? 'Make the first operator' : `Welcome, ${leads.name}`;
      show('first-name', leads.first);
      show('link');
      return;
    }
    await account();
  } catch (error) {
    await front();
    if (error.status !== 401 || location.hash.length > 1) tell('problem', error.message);
    else if (problem) tell('problem', problem);
  }
}

start().catch((error) => tell('problem', error.message));
