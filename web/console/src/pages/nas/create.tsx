import { useNavigate } from '@tanstack/react-router';
import { useParameters } from '../../app/search';
import { nas as texts } from '../../texts/nas';
import { PageFrame } from '../../ui/heading';
import { keepSecret } from './added';
import { DeviceForm } from './form';

export default function Create() {
  const [params] = useParameters();
  const navigate = useNavigate();
  return (
    <PageFrame title={texts.createTitle} hint={texts.emptyHint}>
      <DeviceForm
        begin={params}
        added={({ name, secret }) => {
          if (secret) keepSecret(name, secret);
          void navigate({ to: `/nas/${encodeURIComponent(name)}` as never });
        }}
      />
    </PageFrame>
  );
}
